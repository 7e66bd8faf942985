"""Wrong passwords slow down the next tries for the same name.

By name, not by address: a whole class behind one address must not wait for one who guesses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from jupyterhub.handlers import BaseHandler
from tornado import web

from .. import names

FREE = 5  # wrong passwords before anybody waits
LONGEST = 60.0  # seconds, so that nobody can keep somebody else out for long
FORGOTTEN = 900.0  # seconds after which a wrong password no longer counts
_MANY = 10_000  # names remembered


class WrongPasswords:
    """How often each name's password was wrong of late."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}  # name: how often, when last

    def wait(self, name: str) -> float:
        """Seconds until the name's next try counts."""
        count, last = self._wrong.get(name, (0, 0.0))
        pause = min(LONGEST, 2.0 ** (count - FREE)) if count >= FREE else 0.0
        return max(0.0, last + pause - self._clock())

    def note(self, name: str, right: bool) -> None:
        """Remembers a wrong password; a right one makes up for all."""
        now = self._clock()
        count, last = self._wrong.pop(name, (0, now))
        if right:
            return
        self._wrong[name] = (1 if now - last > FORGOTTEN else count + 1, now)
        if len(self._wrong) > _MANY:
            self._wrong.pop(next(iter(self._wrong)))  # the one that was quiet longest


class SlowedLogins:
    """Mixin of authenticators that ask for a password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wrong = WrongPasswords()

    async def authenticate(self, handler: BaseHandler, data: dict[str, str]) -> Any:
        """Answers a name that can't be, and one tried too often, with the reason."""
        name = self.normalize_username(data["username"])  # type: ignore[attr-defined]
        names.require(name)
        if seconds := math.ceil(self._wrong.wait(name)):
            raise web.HTTPError(
                429, f"Too many wrong passwords for this name. Try again in {seconds} seconds."
            )
        found = await super().authenticate(handler, data)  # type: ignore[misc]
        self._wrong.note(name, right=found is not None)
        return found
