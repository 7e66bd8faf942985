"""What is fetched from where, and what a command prints when it can't be."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A place that things come from, and the setting that names another."""

    name: str
    setting: str


PYPI = Source("the index of Python packages (PyPI)", "pip config set global.index-url …")
GO = Source("the proxy of Go modules", "GOPROXY")
DEBIAN = Source("the archive of Debian packages", "/etc/apt/sources.list")

_AWAY = (
    r"name resolution|failure resolving|resolve host|no such host|dns error|unreachable|"
    r"connection refused|could not connect|no route to host|getting release file"
)
_BROKEN = (
    r"timed out|time-?out|IncompleteRead|incomplete-download|connection broken|connection reset|"
    r"connection closed|broken pipe|unexpected EOF|end of file before|remote end closed|"
    r"decoding response body|error sending request|couldn't download|"
    r"failed to read from zip file|retrieving .* failed"
)


@dataclass(frozen=True)
class Trouble:
    """Why nothing came."""

    reason: str
    passing: bool  # it broke off: a second try is worth it


def trouble(printed: str) -> Trouble | None:
    """What a command that failed says of the network, if that was it."""
    # pip tells each try that it makes anew; only the last one counts.
    lines = [line for line in printed.splitlines() if not re.search(r"Retry\(total=[1-9]", line)]
    for pattern, passing in ((_AWAY, False), (_BROKEN, True)):
        for line in reversed(lines):
            if re.search(pattern, line, re.IGNORECASE):
                return Trouble(line.strip()[-200:], passing)
    return None


def explained(what: str, source: Source, reason: str) -> str:
    """What needs which place, and the way out."""
    return (
        f"{what} needs {source.name}, which can't be reached from here, or breaks off:\n"
        f"  {reason}\n"
        "Is this machine on the network? Where it needs a proxy, set HTTPS_PROXY and HTTP_PROXY; "
        f"where it has a mirror, {source.setting}. Then run the same command again: it goes on "
        "from here."
    )
