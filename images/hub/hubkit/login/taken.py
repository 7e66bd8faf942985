"""Names that somebody's files are kept under: nobody else may come by them.

Homes outlive the hub's database, and accounts in it.
"""

from __future__ import annotations

from pathlib import Path

from .. import kept, names
from ..folders import HOMES, STATE

DELETED = "deleted.json"  # names of deleted accounts: in a cluster the hub sees no homes
GIVEN = "given.json"  # names that the teacher gave to whoever comes by them next


class Taken:
    """What is known of names without an account."""

    def __init__(self, state: Path = STATE, homes: Path = HOMES) -> None:
        self._deleted, self._given, self._homes = state / DELETED, state / GIVEN, homes

    def has_files(self, name: str) -> bool:
        """Whether there is a home of this name, which the teacher didn't give away."""
        if name in kept.read(self._given, []):
            return False
        return (self._homes / names.escaped(name)).exists() or name in kept.read(self._deleted, [])

    def deleted(self, name: str) -> None:
        """Remembers somebody whose account is deleted."""
        _put(self._deleted, name)

    def give(self, name: str) -> None:
        """Lets the next one come by a name, whatever is kept under it."""
        _put(self._given, name)

    def is_given(self, name: str) -> bool:
        """Whether the next one may come by it."""
        return name in kept.read(self._given, [])

    def came(self, name: str) -> None:
        """Somebody came by a name: it isn't to be had any more."""
        if name in (given := kept.read(self._given, [])):
            kept.replace(self._given, [each for each in given if each != name])


def _put(file: Path, name: str) -> None:
    kept.replace(file, sorted({*kept.read(file, []), name}))
