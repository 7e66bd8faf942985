"""Where an OpenID Connect provider's addresses come from: its discovery document.

oauthenticator reads none. The last good copy is kept, so that a hub that starts while the provider
is away can log people in as soon as it is back.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import kept, pools

FRESH = 3600.0  # seconds that a document is used without looking again


class NotFound(Exception):
    """There is no usable document. Its text says why."""


@dataclass(frozen=True)
class Endpoints:
    """The provider's addresses."""

    authorize: str
    token: str
    userinfo: str


def parse(document: dict[str, Any], issuer: str) -> Endpoints:
    """The addresses in a document, which has to be this issuer's."""
    if str(document.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise NotFound(
            f"{issuer} calls itself {document.get('issuer')!r}: give that as "
            "jupyterhub:hub.login.oidc.issuer"
        )
    keys = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    if lacking := [key for key in keys if not document.get(key)]:
        raise NotFound(f"{issuer} doesn't tell its {', '.join(lacking)}")
    return Endpoints(*(str(document[key]) for key in keys))


class Discovery:
    """The addresses of one issuer.

    Args:
        fetch: gets a URL's JSON; raises OSError or the HTTP client's error.
        copy: the file that the last good answer is kept in.
    """

    def __init__(
        self, issuer: str, fetch: Callable[[str], Awaitable[dict[str, Any]]], copy: Path
    ) -> None:
        self._issuer, self._fetch, self._copy = issuer, fetch, copy
        self._known: Endpoints | None = None
        self._asked = 0.0

    async def endpoints(self) -> Endpoints:
        """The addresses; NotFound where the issuer doesn't answer and never did."""
        if self._known is None or time.monotonic() - self._asked > FRESH:
            self._known = await self._look()
        return self._known

    async def _look(self) -> Endpoints:
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            found = parse(await self._fetch(address), self._issuer)
        except NotFound:
            raise
        except Exception as error:  # whatever the HTTP client finds
            if last := self._known or self._last_copy():
                return last
            raise NotFound(f"{address} does not answer: {error}") from None
        self._asked = time.monotonic()
        copy = {"issuer": self._issuer, **asdict(found)}
        await pools.run(pools.STATE, kept.replace, self._copy, copy)
        return found

    def _last_copy(self) -> Endpoints | None:
        try:
            known = dict(kept.read(self._copy, {}))
        except (OSError, ValueError):
            return None
        return Endpoints(**known) if known.pop("issuer", None) == self._issuer else None
