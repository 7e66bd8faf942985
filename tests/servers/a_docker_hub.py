"""Configuration of a hub as on a Docker engine, with a stand-in for the engine.

Everything else is real: JupyterHub, its database on the disk, logins, our spawner. What it is told
is in TEST_TOLD. It also tells how long its loop stood still: `/hub/test/stall` gives the longest
time since somebody asked before.

The load bench runs earlier releases with it, too: only what all have is used here.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

import bcrypt
import docker
from hubkit import firewall, folders
from jupyterhub.handlers import BaseHandler

from tests.servers.docker_engine import StandIn

TOLD = json.loads(os.environ["TEST_TOLD"])
folders.HOMES, folders.SHARED, folders.STATE = (
    Path(TOLD["folder"]) / name for name in ("homes", "shared", "state")
)
docker.APIClient = StandIn
firewall.require = lambda network: None
LOOK_EVERY = 0.005  # seconds
longest, hashes = 0.0, 0
watching: asyncio.Future[None]


def _slow(work: Any) -> Any:
    """A hash takes as long as told for some passwords, wherever it is made."""

    def hashed(password: bytes, other: bytes) -> Any:
        global hashes
        hashes += 1
        if password.decode() in TOLD.get("slow_passwords", []):
            time.sleep(TOLD["slow"])
        return work(password, other)

    return hashed


def _hanging(statvfs: Any) -> Any:
    """A disk that doesn't answer while there is a file that says so."""

    def asked(path: Any) -> Any:
        if (Path(TOLD["folder"]) / "hangs").exists() and Path(path) == folders.HOMES:
            time.sleep(TOLD["slow"])
        return statvfs(path)

    return asked


async def _watch() -> None:
    global longest
    while True:
        begun = time.monotonic()
        await asyncio.sleep(LOOK_EVERY)
        longest = max(longest, time.monotonic() - begun - LOOK_EVERY)


class End(BaseHandler):
    """A server ends by itself; the engine says so, or restarts just then."""

    async def get(self) -> None:
        StandIn.end(self.get_argument("name"), self.get_argument("heard") == "True")


class Stall(BaseHandler):
    """How long the loop stood still, at most; `?for=` seconds it stands still first."""

    async def get(self) -> None:
        global longest
        time.sleep(float(self.get_argument("for", "0")))
        await asyncio.sleep(4 * LOOK_EVERY)
        status = Path("/proc/self/status").read_text()
        memory = next(line.split()[1] for line in status.splitlines() if "VmRSS" in line)
        self.finish(
            {
                "longest": longest,
                "hashes": hashes,  # in all
                "memory": int(memory) / 1024,  # MiB
                "containers": [each["Name"] for each in StandIn._known.values()],
                "threads": sorted(StandIn.on_threads),  # that asked the engine
            }
        )
        longest = 0.0
        StandIn.on_threads.clear()


def configure(c: Any) -> None:
    """As on a Docker engine, in folders of a test."""
    from hubkit import on_docker
    from hubkit.settings import Secrets, Settings

    settings = Settings.model_validate(TOLD["settings"])
    assert settings.engine
    on_docker.configure(c, settings, Secrets.model_validate(TOLD["secrets"]))
    c.JupyterHub.db_url = f"sqlite:///{TOLD['folder']}/state/jupyterhub.sqlite"
    c.JupyterHub.hub_connect_ip = "127.0.0.1"
    c.JupyterHub.extra_handlers += [(r"/test/stall", Stall), (r"/test/end", End)]
    c.JupyterHub.services += [{"name": "test", "api_token": TOLD["token"]}]
    c.JupyterHub.load_roles += [
        {"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers"]}
    ]
    if proxy := TOLD.get("proxy_class"):
        c.JupyterHub.proxy_class = proxy
    StandIn.network = settings.engine.network.name
    StandIn.slow = TOLD.get("slow_containers", {})
    bcrypt.hashpw, bcrypt.checkpw = _slow(bcrypt.hashpw), _slow(bcrypt.checkpw)
    os.statvfs = _hanging(os.statvfs)
    for module, values in TOLD.get("numbers", {}).items():
        for name, value in values.items():
            setattr(importlib.import_module(module), name, value)
    global watching
    watching = asyncio.ensure_future(_watch())


if "get_config" in globals():
    configure(get_config())  # type: ignore[name-defined]  # noqa: F821
