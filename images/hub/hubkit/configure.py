"""JupyterHub's configuration from the settings document."""

from __future__ import annotations

import html
import os
import sys
from pathlib import Path
from typing import Any

from . import admins, collect, login, together
from .proxy import SafeTraefikProxy
from .settings import Culling, LoginKind, Secrets, Settings
from .spawner import HOMES, HubSpawner

STATE = Path("/srv/state")
QUEUE_TIMEOUT = 1800  # seconds


def configure(c: Any, settings: Settings, secrets: Secrets) -> None:
    """Sets everything that JupyterHub is to do."""
    _hub(c, settings, secrets)
    _proxy(c, settings)
    _spawner(c, settings)
    login.configure(c, settings, secrets)
    together.configure(c, settings, STATE)
    if settings.culling.enabled:
        _culling(c, settings.culling)


def _hub(c: Any, settings: Settings, secrets: Secrets) -> None:
    address = settings.hub.address
    c.JupyterHub.hub_bind_url = f"http://{address}:{settings.hub.port}"
    c.JupyterHub.hub_connect_ip = address  # the default, the host's name, means nothing to users
    c.JupyterHub.db_url = f"sqlite:///{STATE}/jupyterhub.sqlite"
    c.JupyterHub.upgrade_db = True  # a copy was made before, see database.py
    c.JupyterHub.cookie_secret = bytes.fromhex(secrets.cookie_secret.get_secret_value())
    c.CryptKeeper.keys = [bytes.fromhex(secrets.crypt_key.get_secret_value())]
    # A hub that ends, however it ends, leaves servers and routes alone.
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.cleanup_proxy = False
    c.JupyterHub.concurrent_spawn_limit = 0  # it would refuse; our spawner lets them wait
    c.JupyterHub.template_paths = [str(Path(__file__).with_name("templates"))]
    c.JupyterHub.template_vars = {"hub_title": settings.title}
    c.JupyterHub.extra_handlers = []
    if settings.announcement:
        c.JupyterHub.template_vars["announcement"] = html.escape(settings.announcement)
    if folder := settings.files.collect:
        c.JupyterHub.extra_handlers += collect.handlers(HOMES, folder)
        c.JupyterHub.template_vars["collect"] = folder
    # A learning platform sends its people by a form: a browser would keep such cookies back.
    if settings.login.kind is not LoginKind.lti13:
        c.JupyterHub.tornado_settings = {"cookie_options": {"samesite": "Lax"}}
    if not settings.admin_access:
        admins.close_servers()
    c.JupyterHub.log_level = "INFO"
    c.JupyterHub.services = []
    c.JupyterHub.load_roles = []
    # Without it JupyterHub waits up to half a minute for servers that are gone.
    c.JupyterHub.init_spawners_timeout = 5


def _proxy(c: Any, settings: Settings) -> None:
    c.JupyterHub.proxy_class = SafeTraefikProxy
    c.JupyterHub.bind_url = settings.proxy.public_url
    if settings.subdomains:
        c.JupyterHub.subdomain_host = settings.proxy.public_url
    c.SafeTraefikProxy.should_start = False
    c.SafeTraefikProxy.traefik_api_url = settings.proxy.api_url
    c.SafeTraefikProxy.traefik_entrypoint = settings.proxy.entry_point
    c.SafeTraefikProxy.dynamic_config_file = settings.proxy.rules_file


def _spawner(c: Any, settings: Settings) -> None:
    c.JupyterHub.spawner_class = HubSpawner
    c.JupyterHub.allow_named_servers = settings.named_servers > 0
    c.JupyterHub.named_server_limit_per_user = settings.named_servers
    c.HubSpawner.settings = settings
    c.HubSpawner.start_timeout = QUEUE_TIMEOUT  # waiting for one's turn included
    c.HubSpawner.http_timeout = settings.spawn.start_timeout


def _culling(c: Any, culling: Culling) -> None:
    c.JupyterHub.services += [
        {
            "name": "idle-culler",
            "command": [
                *(sys.executable, "-m", "jupyterhub_idle_culler"),
                f"--timeout={culling.timeout}",
                f"--cull-every={culling.every}",
                f"--max-age={culling.max_age}",
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
    if not culling.cull_busy:
        _busy_kernels(c, culling)


def _busy_kernels(c: Any, culling: Culling) -> None:
    """The culler can't see that a silent kernel is at work; this service tells the hub."""
    c.JupyterHub.services += [
        {
            "name": "busy-kernels",
            "command": [sys.executable, "-m", "hubkit.busy_kernels"],
            "environment": {
                "BUSY_KERNELS_IDLE": str(culling.timeout / 2),
                "BUSY_KERNELS_EVERY": str(max(1, min(60, culling.timeout / 5))),
                "PATH": os.environ["PATH"],
            },
        }
    ]
    c.JupyterHub.load_roles += [
        {
            "name": "busy-kernels",
            "services": ["busy-kernels"],
            "scopes": [
                "list:users",
                "read:servers",
                "read:users:activity",
                "users:activity",
                "access:servers",
                "admin:server_state",  # the server's address, see HubSpawner.get_state
            ],
        }
    ]
