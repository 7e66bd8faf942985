"""User names: which are allowed, and what folder and container they get."""

from __future__ import annotations

import hashlib
import re
import string

from escapism import escape
from tornado import web

# Safe in URLs, in Traefik's rules (no backtick, no parenthesis) and as a folder's name.
USERNAME_PATTERN = r"[a-z0-9][a-z0-9._@+-]{0,62}"
RULE = "1 to 63 small letters, digits and . _ @ + -, starting with a letter or digit"

_ACCOUNT = "_"  # no person's name begins so
_SAFE = set(string.ascii_lowercase + string.digits)
_MAPPED = re.compile(r".*--[0-9a-f]{16}")
_LONGEST = 63


def is_allowed(name: str) -> bool:
    """Whether a user may have this name."""
    return re.fullmatch(USERNAME_PATTERN, name) is not None


def require(name: str) -> None:
    """Answers a login with a name that can't be."""
    if not is_allowed(name):
        raise web.HTTPError(403, f"This name can't be used. A name is {RULE}.")


def account(group: str) -> str:
    """The name of a group's own account, which its common server belongs to. Nobody can have it."""
    return f"{_ACCOUNT}{group}"


def group_of(name: str) -> str | None:
    """The group whose account this is; None where it is a person's name."""
    return name.removeprefix(_ACCOUNT) if name.startswith(_ACCOUNT) else None


def mapped(identity: str, fold_case: bool = False) -> str:
    """The hub's name for somebody whom another service names.

    A name that is allowed stays as it is. Any other gets the end of a digest, so that no two share
    a name; one that looks like such a name gets another digest, so that nobody can choose it.

    Args:
        fold_case: the service takes `Anna` and `anna` for one person.
    """
    identity = identity.lower() if fold_case else identity
    if is_allowed(identity) and not _MAPPED.fullmatch(identity):
        return identity
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    readable = re.sub(r"[^a-z0-9._@+-]+", "-", identity.lower()).lstrip("._@+-")
    return f"{readable[: _LONGEST - 18] or 'user'}--{digest}"


def escaped(name: str) -> str:
    """The name as part of a container's and a folder's name; no two names share one.

    The same as DockerSpawner's own escaping: `-` is the escape character and escaped itself.
    """
    return str(escape(name, _SAFE, escape_char="-")).lower()
