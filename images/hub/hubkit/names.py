"""Names: which are allowed, and what folder and container they get.

Every pattern is to the text's end, by itself: JupyterHub only looks how a name begins. Not by `$`,
which lets the end of a line through.
"""

from __future__ import annotations

import hashlib
import re
import string

from escapism import escape
from tornado import web

from .refused import refused

# Of users and of their named servers. Safe in URLs, in Traefik's rules (no backtick, no
# parenthesis) and as a folder's name; without capitals, which containers' names don't tell apart.
USERNAME_PATTERN = r"[a-z0-9][a-z0-9._@+-]{0,62}\Z"
# The same as in the components' args, which are another package.
GROUP = re.compile(r"[a-z0-9][a-z0-9-]{0,30}\Z")
DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")  # a stack's, in containers' names
HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\Z")
# What a part of a route may be once it is unquoted: a user, a group's account, a server that an
# earlier release has started, or `user`, `hub`, `services`.
ROUTE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,62}\Z")
RULE = "1 to 63 small letters, digits and . _ @ + -, starting with a letter or digit"

_ACCOUNT = "_"  # no person's name begins so
_SAFE = set(string.ascii_lowercase + string.digits)
_MAPPED = re.compile(r".*--[0-9a-f]{16}\Z")
_LONGEST = 63


def is_allowed(name: str) -> bool:
    """Whether a user, or a named server, may have this name."""
    return re.match(USERNAME_PATTERN, name) is not None


def require(name: str) -> None:
    """Answers a login with a name that can't be."""
    if not is_allowed(name):
        raise web.HTTPError(403, f"This name can't be used. A name is {RULE}.")


def require_of_server(name: str) -> None:
    """Answers the start of a named server whose name can't be; '' is the server without a name."""
    if name and not is_allowed(name):
        raise refused(f"A server can't have this name. A name is {RULE}.")


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
