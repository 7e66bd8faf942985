"""A hub's configuration for test_what_servers_hear.py: real services and roles, and servers that
write down what reaches them."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hubkit import configure as common
from hubkit.settings import Secrets, Settings
from jupyterhub.spawner import Spawner

from tests.servers.routes import Routes

HEARD = Path(os.environ["TEST_HEARD"])


class Ear(BaseHTTPRequestHandler):
    """Stands where a user's server is; no kernel of it is busy."""

    user: str

    def _hear(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        heard = {"user": self.user, "path": self.path, "body": body}
        with HEARD.open("a") as file:
            file.write(json.dumps(heard | {"headers": list(self.headers.items())}) + "\n")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[]")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _hear

    def log_message(self, *_: object) -> None: ...


class EarSpawner(Spawner):
    """Starts an ear; the one of `ben` tells the hub that it is at work, as our image does."""

    _server: ThreadingHTTPServer | None = None

    async def start(self) -> tuple[str, int]:
        handler = type("Own", (Ear,), {"user": self.user.name})
        self._ear = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._ear.serve_forever, daemon=True).start()
        if self.user.name == "ben":
            threading.Thread(target=_report, args=(self.get_env(),), daemon=True).start()
        return "127.0.0.1", self._ear.server_port

    async def stop(self, now: bool = False) -> None:
        self._ear.shutdown()
        self._ear.server_close()

    async def poll(self) -> int | None:
        return None if hasattr(self, "_ear") else 0


def _report(environment: dict[str, str]) -> None:
    """What JupyterHub's part of a server does, with the server's own token."""
    while True:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        request = urllib.request.Request(
            environment["JUPYTERHUB_ACTIVITY_URL"],
            json.dumps({"last_activity": now, "servers": {"": {"last_activity": now}}}).encode(),
            {"Authorization": f"token {environment['JUPYTERHUB_API_TOKEN']}"},
        )
        urllib.request.urlopen(request, timeout=10).close()
        time.sleep(0.5)


def configure(c: Any) -> None:
    told = json.loads(os.environ["TEST_SETTINGS"])
    c.JupyterHub.services, c.JupyterHub.load_roles, c.JupyterHub.extra_handlers = [], [], []
    common.configure(
        c,
        Settings.model_validate(told["settings"]),
        Secrets.model_validate(told["secrets"]),
    )
    c.JupyterHub.services += [{"name": "test", "api_token": told["token"]}]
    c.JupyterHub.load_roles += [
        {"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers", "tokens"]}
    ]
    c.JupyterHub.spawner_class, c.JupyterHub.proxy_class = EarSpawner, Routes
    c.JupyterHub.hub_bind_url = told["hub"]
    c.JupyterHub.bind_url = told["public"]
    c.JupyterHub.db_url = told["database"]


if "get_config" in globals():
    configure(get_config())  # type: ignore[name-defined]  # noqa: F821
