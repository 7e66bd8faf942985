"""Calls of a forge's REST API, in JSON."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_PAGE = 100
_SECONDS = 30


class ForgeError(Exception):
    """The forge refused. Its text says what and the way out.

    Attributes:
        status: the HTTP status, 0 without an answer.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Api:
    """A forge's API: its address, and the headers that say who calls."""

    url: str
    headers: Mapping[str, str]

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer to one call, decoded."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **self.headers},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            raise ForgeError(f"{method} {path}: {error.code}: {said}", error.code) from None
        except urllib.error.URLError as error:
            raise ForgeError(
                f"{method} {path}: no answer from {self.url}: {error.reason}"
            ) from None
        return json.loads(text) if text else None

    def all(self, path: str) -> Iterator[Any]:
        """Every item of a list, page by page."""
        sign = "&" if "?" in path else "?"
        page = 1
        while found := self.call("GET", f"{path}{sign}per_page={_PAGE}&page={page}"):
            yield from found
            if len(found) < _PAGE:
                return
            page += 1


def needed(name: str, why: str) -> str:
    """A variable of the environment that CI has to set."""
    value = os.environ.get(name)
    if not value:
        raise ForgeError(f"{name} is not set: {why}", 401 if name.endswith("_TOKEN") else 0)
    return value


def quoted(text: str) -> str:
    """Text for a place in an address."""
    return urllib.parse.quote(text, safe="")
