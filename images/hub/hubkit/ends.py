"""Hears from the engine that a server has ended, so that the hub asks about each but rarely."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import docker
from jupyterhub.app import JupyterHub

from . import labels

AGAIN = 5.0  # seconds until an engine that went away is listened to again
_looking: set[asyncio.Future[None]] = set()


def listen(hub: JupyterHub, deployment: str) -> None:
    """Listens from now on, for the hub whose loop runs."""
    # Not a thread of a pool: the hub's end would wait for it, and it waits for the engine.
    told = (hub, asyncio.get_running_loop(), deployment)
    threading.Thread(target=_listen, args=told, daemon=True, name="ends").start()


def _listen(hub: JupyterHub, loop: asyncio.AbstractEventLoop, deployment: str) -> None:
    while True:
        try:
            for name in _heard(deployment):
                loop.call_soon_threadsafe(_look, hub, name)
        except Exception as error:  # whatever breaks off
            hub.log.warning("The engine is not heard: %s", error)
        time.sleep(AGAIN)
        loop.call_soon_threadsafe(_look, hub, None)  # what it said meanwhile


def _heard(deployment: str) -> Iterator[str]:
    """Names of containers that ended."""
    own = [f"{labels.DEPLOYMENT}={deployment}", f"{labels.ROLE}=user"]
    filters = {"type": "container", "event": "die", "label": own}
    engine = docker.APIClient(**docker.utils.kwargs_from_env(), version="auto")
    for event in engine.events(filters=filters, decode=True):
        yield str(event["Actor"]["Attributes"]["name"])


def _look(hub: JupyterHub, name: str | None) -> None:
    """Has the hub look at the server whose container this is; None: at all."""
    for user in hub.users.values():
        for spawner in user.spawners.values():
            if spawner.ready and name in (None, spawner.object_name):
                _looking.add(looking := asyncio.ensure_future(spawner.poll_and_notify()))
                looking.add_done_callback(_looking.discard)
