"""Tells the hub that a server with a busy kernel is in use, however silent it is.

The idle culler goes by activity, and a cell that computes for an hour without output has none.
Run by the hub as a service: JUPYTERHUB_API_URL and JUPYTERHUB_API_TOKEN are set.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPError

log = logging.getLogger("busy-kernels")

Server = dict[str, Any]


class BusyKernels:
    """One hub's servers."""

    def __init__(self, api: str, token: str, idle: float) -> None:
        self._api = api
        self._headers = {"Authorization": f"token {token}"}
        self._idle = idle
        self._client = AsyncHTTPClient()

    async def round(self) -> None:
        """Looks at every server that had no activity for a while."""
        users = await self._get(f"{self._api}/users?state=ready&limit=10000")
        silent = list(_silent(users, self._idle, datetime.now(UTC)))
        await asyncio.gather(*(self._look(user, server) for user, server in silent))

    async def _look(self, user: str, server: Server) -> None:
        try:
            base = f"{server['state']['address']}{server['url']}"
            # Untracked: a look must not be the activity that it looks for.
            kernels = await self._get(f"{base}api/kernels?no_track_activity=1")
            if any(kernel["execution_state"] == "busy" for kernel in kernels):
                await self._report(user, server["name"])
        except (HTTPError, OSError, KeyError) as error:
            log.warning("server of %s: %s", user, error)

    async def _report(self, user: str, name: str) -> None:
        now = datetime.now(UTC).isoformat()
        body = {"last_activity": now, "servers": {name: {"last_activity": now}}}
        await self._client.fetch(
            f"{self._api}/users/{quote(user)}/activity",
            method="POST",
            headers=self._headers,
            body=json.dumps(body),
        )
        log.info("server of %s is busy", user)

    async def _get(self, url: str) -> Any:
        answer = await self._client.fetch(url, headers=self._headers, request_timeout=20)
        return json.loads(answer.body)


def _silent(
    users: list[dict[str, Any]], idle: float, now: datetime
) -> Iterator[tuple[str, Server]]:
    for user in users:
        for server in user["servers"].values():
            last = server["last_activity"] or server["started"]
            if last and (now - _time(last)).total_seconds() >= idle:
                yield user["name"], server


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


async def main() -> None:
    """Runs until the hub ends it."""
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    watcher = BusyKernels(
        os.environ.get("BUSY_KERNELS_API") or os.environ["JUPYTERHUB_API_URL"],
        os.environ["JUPYTERHUB_API_TOKEN"],
        float(os.environ["BUSY_KERNELS_IDLE"]),
    )
    while True:
        try:
            await watcher.round()
        except (HTTPError, OSError) as error:
            log.warning("hub: %s", error)
        await asyncio.sleep(float(os.environ["BUSY_KERNELS_EVERY"]))


if __name__ == "__main__":
    asyncio.run(main())
