"""Starts each user's server in a pod of its own, and says in plain words why one doesn't start."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from kubernetes_asyncio.client.rest import ApiException
from kubespawner import KubeSpawner
from traitlets import default

from . import events, names
from .refused import refused
from .tokens import OwnTokens

LOOK_EVERY = 0.5  # seconds


class PodSpawner(OwnTokens, KubeSpawner):
    """KubeSpawner that gives up early where waiting helps nobody, with the reason."""

    delete_pvc = False  # whoever is deleted, maybe by mistake, finds the home again

    @default("http_timeout")
    def _while_it_may_start(self) -> int:
        """A started container answers at last: a busy node is no reason to end it before."""
        return int(self.start_timeout)

    def start(self) -> asyncio.Future[str]:
        """Starts the server; the future is also what ends `progress`."""
        self._start_future = asyncio.ensure_future(self._start_watched())
        return self._start_future

    async def _start_watched(self) -> str:
        names.require_of_server(self.name)
        begun, starting = time.monotonic(), asyncio.ensure_future(self._start())
        try:
            while not starting.done():
                await asyncio.wait({starting}, timeout=LOOK_EVERY)
                reason = events.why_not(self._own_events(), time.monotonic() - begun)
                if reason and not starting.done():
                    raise refused(reason)
            address: str = await starting
        except ApiException as error:
            raise refused(events.in_words(_message(error))) from None
        except TimeoutError:
            said = [event["message"] for event in self._own_events()][-1:]
            words = f" The cluster says: {said[0]}" if said else ""
            raise refused(
                f"The server did not start within {self.start_timeout} seconds.{words}"
            ) from None
        finally:
            starting.cancel()
        return address

    def _own_events(self) -> list[dict[str, Any]]:
        """Those of this pod, not of an earlier one of the same name."""
        if not (self.pod_reflector and self.event_reflector):
            return []
        pod = self.pod_reflector.pods.get(f"{self.namespace}/{self.pod_name}")
        uid = pod["metadata"]["uid"] if pod else None
        return [event for event in self.events if event["involvedObject"].get("uid") == uid]

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What the page shows while a user waits."""
        async for step in super().progress():
            if event := step.get("raw_event"):
                step["message"] = events.step(event)
            yield step


def _message(error: ApiException) -> str:
    """What the API server says; its answer is JSON, or text where something is in between."""
    try:
        return str(json.loads(error.body or b"")["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
