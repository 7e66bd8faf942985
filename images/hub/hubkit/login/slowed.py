"""Wrong passwords slow down the next tries.

By name and address, so that who guesses holds up neither a class behind the same address nor the
name's owner at another one. A browser in which somebody has logged in before counts by itself. By
name alone the limit is large: it is for who guesses from many addresses.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
import time
from collections.abc import Callable, Hashable
from typing import Any

from jupyterhub.handlers import BaseHandler
from tornado import web

from .. import names

FREE = 5  # wrong passwords before anybody waits
FREE_BY_NAME = 100  # the same for a name, whatever the addresses
LONGEST = 60.0  # seconds, so that nobody can keep somebody else out for long
FORGOTTEN = 900.0  # seconds after which a wrong password no longer counts
KNOWN_FOR = 90  # days that a browser is known
_MANY = 10_000  # remembered of each kind


class WrongPasswords:
    """How often passwords were wrong of late, for each of whatever is counted by."""

    def __init__(self, free: int = FREE, clock: Callable[[], float] = time.monotonic) -> None:
        self._free, self._clock = free, clock
        self._wrong: dict[Hashable, tuple[int, float]] = {}  # how often, when last

    def wait(self, who: Hashable) -> float:
        """Seconds until the next try counts."""
        count, last = self._wrong.get(who, (0, 0.0))
        over = min(count - self._free, 10)
        pause = min(LONGEST, 2.0**over) if over >= 0 else 0.0
        return max(0.0, last + pause - self._clock())

    def note(self, who: Hashable, right: bool) -> None:
        """Remembers a wrong password; a right one makes up for all."""
        now = self._clock()
        count, last = self._wrong.pop(who, (0, now))
        if right:
            return
        self._wrong[who] = (1 if now - last > FORGOTTEN else count + 1, now)
        if len(self._wrong) > _MANY:
            self._wrong.pop(next(iter(self._wrong)))  # the one that was quiet longest


class SlowedLogins:
    """Mixin of authenticators that ask for a password."""

    free, free_by_name = FREE, FREE_BY_NAME

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by_browser, self._by_address = WrongPasswords(), WrongPasswords(self.free)
        self._by_name = WrongPasswords(self.free_by_name)

    def guessed(self, name: str) -> str:
        """Whose password a try is about."""
        return name

    async def authenticate(self, handler: BaseHandler, data: dict[str, str]) -> Any:
        """Answers a name that can't be, and one tried too often, with the reason."""
        name = self.normalize_username(data["username"])  # type: ignore[attr-defined]
        names.require(name)
        tries = self._tries(handler, name)
        if seconds := math.ceil(max(counted.wait(who) for counted, who in tries)):
            raise web.HTTPError(
                429, f"Too many wrong passwords for this name. Try again in {seconds} seconds."
            )
        # Before it is known: passwords are looked at aside, and many at once would all be free.
        for counted, who in tries:
            counted.note(who, right=False)
        found = await super().authenticate(handler, data)  # type: ignore[misc]
        if found is not None:
            for counted, who in tries:
                counted.note(who, right=True)
            _know(handler, name)
        return found

    def _tries(self, handler: BaseHandler, name: str) -> list[tuple[WrongPasswords, Hashable]]:
        """What a try counts by."""
        if browser := handler.get_signed_cookie(_cookie(name), max_age_days=KNOWN_FOR):
            return [(self._by_browser, (name, browser))]
        guessed = self.guessed(name)
        address = _network(handler.request.remote_ip)
        return [(self._by_address, (guessed, address)), (self._by_name, guessed)]


def _know(handler: BaseHandler, name: str) -> None:
    """Tells the browser something by which it is known when somebody comes by this name again."""
    if handler.get_signed_cookie(_cookie(name), max_age_days=KNOWN_FOR / 2) is None:
        handler.set_signed_cookie(
            _cookie(name),
            secrets.token_hex(8),
            expires_days=KNOWN_FOR,
            path=handler.hub.base_url,
            httponly=True,
            **handler.settings.get("cookie_options", {}),
        )


def _cookie(name: str) -> str:
    """The cookie's name, which doesn't tell whose it is."""
    return "jupyterhub-known-" + hashlib.sha256(name.encode()).hexdigest()[:16]


def _network(address: str) -> str:
    """An address; of IPv6 the network, for one machine has as many as it likes."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))
