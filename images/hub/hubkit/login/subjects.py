"""Whose a name is, where another service names people: it may give a name anew some day."""

from __future__ import annotations

from pathlib import Path

from tornado import web

from .. import kept
from ..folders import STATE
from ..settings import LoginKind
from .taken import Taken

_FILES = {LoginKind.oidc: "oidc-subjects.json", LoginKind.lti13: "lti13-subjects.json"}


def refused(name: str) -> web.HTTPError:
    """The answer to somebody who comes by a name that isn't theirs."""
    return web.HTTPError(
        403,
        f"The name {name} belongs to another account, or to files of somebody whom this hub no "
        f"longer knows. Your teacher can give both to you: make roster RESET={name}",
    )


class Subjects:
    """The service's own id for whom each name belongs to: who comes first keeps name and files."""

    def __init__(self, kind: LoginKind, taken: Taken | None = None, state: Path = STATE) -> None:
        self._file, self._taken = state / _FILES[kind], taken or Taken()

    def known(self) -> dict[str, str]:
        """All names."""
        return dict(kept.read(self._file, {}))

    def is_own(self, name: str, subject: str) -> bool:
        """Whether the name is this account's."""
        return bool(subject) and self.known().get(name) == subject

    def claim(self, name: str, subject: str, has_account: bool) -> bool:
        """Whether the name is this account's, which logs in; it is now if it was nobody's.

        Args:
            has_account: the hub's database knows somebody of this name, who was here by another
                kind of login. If it doesn't and there are files, it was lost: they aren't given
                away.
        """
        known = self.known()
        if owner := known.get(name):
            return owner == subject
        if not subject or (not has_account and self._taken.has_files(name)):
            return False
        kept.replace(self._file, known | {name: subject})
        self._taken.came(name)
        return True

    def free(self, name: str) -> None:
        """Gives a name to the next account that comes by it."""
        kept.replace(self._file, {n: s for n, s in self.known().items() if n != name})
        self._taken.give(name)

    def take(self, told: dict[str, str]) -> None:
        """Names of another hub with the same service; what is known here stays."""
        kept.replace(self._file, told | self.known())
