"""What JupyterHub is to do, whatever it starts servers on."""

from __future__ import annotations

import html
import sys
from pathlib import Path
from typing import Any

from . import admins, collect, database, login, options, spelling, tokens
from .folders import HOMES
from .settings import Culling, LoginKind, Secrets, Settings


def configure(c: Any, settings: Settings, secrets: Secrets, api_url: str | None = None) -> None:
    """Sets what is the same on a Docker engine and on Kubernetes.

    `services`, `load_roles` and `extra_handlers` have to be lists already.

    Args:
        api_url: where the hub's services find its API; by default where everybody does.
    """
    _hub(c, settings, secrets)
    _pages(c, settings)
    login.configure(c, settings, secrets)
    if settings.culling.enabled:
        _culling(c, settings.culling, api_url)


def _hub(c: Any, settings: Settings, secrets: Secrets) -> None:
    database.tune()
    options.limit()
    c.JupyterHub.upgrade_db = True  # a copy was made before, see database.py
    c.JupyterHub.cookie_secret = bytes.fromhex(secrets.cookie_secret.get_secret_value())
    c.CryptKeeper.keys = [bytes.fromhex(secrets.crypt_key.get_secret_value())]
    # A hub that ends, however it ends, leaves servers and routes alone.
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.cleanup_proxy = False
    if settings.subdomains:
        c.JupyterHub.subdomain_host = settings.public_url
    spelling.mend()
    tokens.end_with_servers()
    c.JupyterHub.allow_named_servers = settings.named_servers > 0
    c.JupyterHub.named_server_limit_per_user = settings.named_servers
    given = c.JupyterHub.get("tornado_settings", {})  # the chart's
    c.JupyterHub.tornado_settings = given | {"cookie_options": _cookies(settings)}
    admins.limit(settings.admin_access)
    c.JupyterHub.log_level = "INFO"
    # Without it JupyterHub waits up to half a minute for servers that are gone.
    c.JupyterHub.init_spawners_timeout = 5


def _cookies(settings: Settings) -> dict[str, Any]:
    """What browsers do with cookies: with TLS they never go without it, nor come from elsewhere."""
    secure = settings.public_url.startswith("https:")
    cookies: dict[str, Any] = {"secure": True} if secure else {}
    # A learning platform sends its people by a form: a browser would keep such cookies back.
    if settings.login.kind is not LoginKind.lti13:
        cookies["samesite"] = "Lax"
    return cookies


def _pages(c: Any, settings: Settings) -> None:
    given = c.JupyterHub.get("template_paths", [])  # the chart's
    c.JupyterHub.template_paths = [*given, str(Path(__file__).with_name("templates"))]
    shown = c.JupyterHub.get("template_vars", {}) | {"hub_title": settings.title}
    if settings.announcement:
        shown["announcement"] = html.escape(settings.announcement)
    if (folder := settings.files.collect) and HOMES.is_dir():
        c.JupyterHub.extra_handlers += collect.handlers(HOMES, folder)
        shown["collect"] = folder
    c.JupyterHub.template_vars = shown


def _culling(c: Any, culling: Culling, api_url: str | None) -> None:
    """Stops idle servers by what the hub knows; it knows it from the servers themselves.

    Nothing of the hub asks a server whether it is busy: whoever a server belongs to can read what
    is sent there, tokens too. The notebook image tells by itself (images/notebook/culling.py).
    """
    c.JupyterHub.services += [
        {
            "name": "idle-culler",
            "command": [
                *(sys.executable, "-m", "hubkit.idle"),
                f"--timeout={culling.timeout}",
                f"--cull-every={culling.every}",
                f"--max-age={culling.max_age}",
                f"--wait={2 * culling.report_every}",
                *([f"--url={api_url}"] if api_url else []),
            ],
        }
    ]
    c.JupyterHub.load_roles += [
        {
            "name": "idle-culler",
            "services": ["idle-culler"],
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        }
    ]
