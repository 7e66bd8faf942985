"""A hub's configuration for hubs.py: real services, roles and pages, and servers that write down
what reaches them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from hubkit import folders
from jupyterhub.spawner import Spawner

from tests.servers.routes import Routes

FOLDER = Path(os.environ["TEST_FOLDER"])
folders.STATE, folders.HOMES = FOLDER / "state", FOLDER / "homes"

from hubkit import configure as common  # noqa: E402  # they take the folders from there
from hubkit import together  # noqa: E402
from hubkit.settings import Secrets, Settings  # noqa: E402
from hubkit.tokens import OwnTokens  # noqa: E402

EAR = Path(__file__).with_name("ear.py")


class EarSpawner(OwnTokens, Spawner):
    """Starts an ear, which goes on when the hub ends; the one of `stuck` can't be stopped."""

    _port = _pid = 0

    async def start(self) -> tuple[str, int]:
        ear = await asyncio.create_subprocess_exec(
            *(sys.executable, str(EAR), str(FOLDER)),
            env=self.get_env(),
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert ear.stdout
        self._port, self._pid = int(await ear.stdout.readline()), ear.pid
        return "127.0.0.1", self._port

    async def stop(self, now: bool = False) -> None:
        if self.user.name == "stuck":
            raise RuntimeError("the engine does not answer")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)

    async def poll(self) -> int | None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return 0
        writer.close()
        return None

    def get_state(self) -> dict[str, Any]:
        return {"port": self._port, "pid": self._pid}

    def load_state(self, state: dict[str, Any]) -> None:
        self._port, self._pid = state.get("port", 0), state.get("pid", 0)


def configure(c: Any) -> None:
    told = json.loads((FOLDER / "told.json").read_text())
    settings = Settings.model_validate(told["settings"])
    c.JupyterHub.services, c.JupyterHub.load_roles, c.JupyterHub.extra_handlers = [], [], []
    common.configure(c, settings, Secrets.model_validate(told["secrets"]))
    together.configure(c, settings, folders.STATE)
    c.JupyterHub.services += [{"name": "test", "api_token": told["token"]}]
    c.JupyterHub.load_roles += [
        {"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers", "tokens"]}
    ]
    c.JupyterHub.spawner_class, c.JupyterHub.proxy_class = EarSpawner, Routes
    c.EarSpawner.poll_interval = 1
    c.JupyterHub.hub_bind_url = told["hub"]
    c.JupyterHub.bind_url = told["public"]
    c.JupyterHub.db_url = told["database"]


if "get_config" in globals():
    configure(get_config())  # type: ignore[name-defined]  # noqa: F821
