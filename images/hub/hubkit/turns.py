"""Whose server starts next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

HOLDS = 10.0  # seconds after which a start lets the next one begin


class Turns:
    """So many servers start at a time, and one of each user.

    Starting is the processor's work: all at once, each would take as long as all together. One that
    takes long waits for something else, and goes on while the next begins.
    """

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._users: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def must_wait(self, user: str) -> bool:
        """Whether the user's next server has to."""
        own = self._users.get(user)
        return self._free.locked() or (own is not None and own.locked())

    @asynccontextmanager
    async def take(self, user: str) -> AsyncIterator[None]:
        """The user's turn, once it comes."""
        own = self._users.setdefault(user, asyncio.Lock())
        async with own:
            await self._free.acquire()
            given_on = asyncio.get_running_loop().create_future()
            given_on.add_done_callback(lambda _: self._free.release())
            timer = asyncio.get_running_loop().call_later(HOLDS, given_on.set_result, None)
            try:
                yield
            finally:
                timer.cancel()
                if not given_on.done():
                    given_on.set_result(None)
