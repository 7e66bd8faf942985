"""Who leaves: sessions, tokens and servers of a name end. Files stay.

A command beside the hub writes down whose; the hub that runs does it, or the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jupyterhub import orm

from .. import names
from ..folders import STATE

LEAVING = "leaving"  # a folder on the state volume, with an empty file for each name
EVERY = 2.0  # seconds between looks


def ask(name: str, state: Path = STATE) -> None:
    """Asks the hub to end what somebody has."""
    if names.is_allowed(name):  # no other name could have anything, nor be a file's
        (state / LEAVING).mkdir(exist_ok=True)
        (state / LEAVING / name).touch()


class Leaving:
    """The hub's watch.

    Args:
        still_in: names that may be here; None where only the login's provider knows them.
    """

    def __init__(self, still_in: Callable[[], set[str] | None], state: Path = STATE) -> None:
        self._still_in, self._folder = still_in, state / LEAVING

    async def watch(self, hub: Any) -> None:
        """Looks for ever, from the hub's start on."""
        await hub._start_future
        first = True
        while True:
            try:
                if first:
                    self._log_out_who_left_meanwhile(hub)
                    first = False
                await self.look(hub)
            except Exception:
                hub.log.exception("Not looked at who left; trying again")
            await asyncio.sleep(EVERY)

    async def look(self, hub: Any) -> None:
        """Ends what is to end. A server that is just starting is the next look's."""
        for name, asked in self._asked().items():
            if await self._end(hub, name) and self._asked().get(name) == asked:
                (self._folder / name).unlink(missing_ok=True)
        running = {user.name for user in hub.users.values() if user.active}
        for name in self._gone(running):
            await self._end(hub, name)

    def _asked(self) -> dict[str, int]:
        """Names, with when they were asked for: it may be again while a server stops."""
        files = self._folder.iterdir() if self._folder.is_dir() else ()
        return {file.name: file.stat().st_mtime_ns for file in files}

    def _gone(self, known: Iterable[str]) -> list[str]:
        still_in = self._still_in()
        if still_in is None:
            return []
        return [n for n in known if n not in still_in and names.group_of(n) is None]

    def _log_out_who_left_meanwhile(self, hub: Any) -> None:
        """By a change of the stack file: or an old session would be good again some day."""
        for name in self._gone([name for (name,) in hub.db.query(orm.User.name)]):
            _log_out(hub.db, hub.users.get(name))
        hub.db.commit()

    async def _end(self, hub: Any, name: str) -> bool:
        """Whether nothing is left."""
        user = hub.users.get(name)
        if user is None:
            return True
        _log_out(hub.db, user)
        hub.db.commit()
        running = [server for server, spawner in user.spawners.items() if spawner.active]
        ended = [await stop(hub, user, server) for server in running]
        if running:
            hub.log.warning("%s left: sessions and tokens ended, and servers", name)
        return all(ended)


def _log_out(db: Any, user: Any) -> None:
    """Ends sessions and tokens, a running server's own as well: who used it could read that."""
    known = user.orm_user
    known.cookie_id = orm.new_token()
    known.encrypted_auth_state = None  # what the login's provider gave
    user._auth_refreshed = None
    for each in [*known.api_tokens, *known.oauth_codes]:
        db.delete(each)


async def stop(hub: Any, user: Any, server: str) -> bool:
    """Whether the server is stopped; one that is starting or stopping can't be, just now.

    Nothing less ends open connections, and what a server remembers of the hub for minutes.
    """
    spawner = user.spawners[server]
    if spawner.pending:
        return False
    spawner._stop_pending = True  # before anything waits, as JupyterHub's own handler does
    try:
        await hub.proxy.delete_user(user, server)
        await user.stop(server)
    finally:
        spawner._stop_pending = False
    return True
