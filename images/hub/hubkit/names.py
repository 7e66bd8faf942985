"""User names: which are allowed, and what folder and container they get."""

from __future__ import annotations

import re
import string

from escapism import escape

# Safe in URLs, in Traefik's rules (no backtick, no parenthesis) and as a folder's name.
USERNAME_PATTERN = r"[a-z0-9][a-z0-9._@+-]{0,62}"
RULE = "1 to 63 small letters, digits and . _ @ + -, starting with a letter or digit"

_SAFE = set(string.ascii_lowercase + string.digits)


def is_allowed(name: str) -> bool:
    """Whether a user may have this name."""
    return re.fullmatch(USERNAME_PATTERN, name) is not None


def escaped(name: str) -> str:
    """The name as part of a container's and a folder's name; no two names share one.

    The same as DockerSpawner's own escaping: `-` is the escape character and escaped itself.
    """
    return str(escape(name, _SAFE, escape_char="-")).lower()
