"""Login kind `roster`: a list of names, each with a first password that can be printed any time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyterhub import orm
from nativeauthenticator.orm import UserInfo
from sqlalchemy.orm import Session
from traitlets import Instance

from .. import kept, names
from ..folders import STATE
from ..settings import Secrets, Settings
from . import class_page, leaving
from .passwords import PasswordsByName, add_pages, first_password, forget, is_first


class Roster:
    """The names: those of the stack file, and what the teacher changed on the class page.

    What the page changed is in files on the state volume, and outlives every hub.
    """

    def __init__(self, listed: Iterable[str], admins: Iterable[str], state: Path = STATE) -> None:
        self._listed, self._admins = set(listed), set(admins)
        self._resets, self._changes = state / "roster.json", state / "class.json"

    def names(self) -> list[str]:
        """Who may log in."""
        changes = self._read()
        return sorted((self._listed | changes["added"]) - changes["removed"] | self._admins)

    def removed(self) -> set[str]:
        """Who was taken off it on the class page."""
        return self._read()["removed"]

    def add(self, name: str) -> None:
        """Puts a name on the roster."""
        self._write(name, add=name not in self._listed, remove=False)

    def remove(self, name: str) -> None:
        """Takes a name off the roster; admins stay."""
        self._write(name, add=False, remove=name in self._listed)

    def count(self, name: str) -> int:
        """How often the name's password was reset."""
        return self._counts().get(name, 0)

    def counted(self, names: Iterable[str]) -> list[tuple[str, int]]:
        """Names with how often each one's password was reset."""
        counts = self._counts()
        return [(name, counts.get(name, 0)) for name in names]

    def reset(self, name: str) -> None:
        """Makes the next first password the name's. What is kept has to be forgotten."""
        counts = self._counts()
        kept.replace(self._resets, counts | {name: counts.get(name, 0) + 1})

    def _counts(self) -> dict[str, int]:
        return dict(kept.read(self._resets, {}))

    def _read(self) -> dict[str, set[str]]:
        known = kept.read(self._changes, {})
        return {key: set(known.get(key, ())) for key in ("added", "removed")}

    def _write(self, name: str, *, add: bool, remove: bool) -> None:
        changes = self._read()
        for key, wanted in (("added", add), ("removed", remove)):
            changes[key] = changes[key] | {name} if wanted else changes[key] - {name}
        kept.replace(self._changes, {key: sorted(found) for key, found in changes.items()})


def rows(db: Session, key: str, roster: Roster, listed: Iterable[str]) -> list[class_page.Row]:
    """A row for each name: its first password, or that its user has changed it."""
    known = {info.username: info for info in UserInfo.all_users(db)}
    seen = {user.name: user.last_activity for user in db.query(orm.User)}
    found = []
    for name, count in roster.counted(listed):
        own = name in known and not is_first(known[name])
        shown = class_page.CHANGED if own else first_password(key, name, count)
        found.append(class_page.Row(name, shown, _day(seen.get(name)), "on the roster"))
    return found


def _day(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d") if moment else "never"


class RosterAuthenticator(PasswordsByName):
    """Only names of the roster, which have a password."""

    roster = Instance(Roster, config=True, help="The names.")
    _serving = False

    def first_password_of(self, name: str) -> str | None:
        """Everybody's who is on the roster."""
        if name not in self.roster.names():
            return None
        return first_password(self.first_password_key, name, self.roster.count(name))

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """The class page as well."""
        self._serving = True  # JupyterHub asks when its known users are loaded
        return [*super().get_handlers(app), *class_page.handlers()]

    def still_in(self) -> set[str]:
        """Who may be here now."""
        return set(self.roster.names())

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Whether the name is on the roster now."""
        return username in self.roster.names()

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool:
        """Ends the session of a name that was removed."""
        return user.name in self.roster.names()

    def add_user(self, user: Any) -> None:
        """A name added in JupyterHub's admin page is on the roster, too."""
        super().add_user(user)
        if self._serving and user.name not in self.roster.names():
            self.add_name(user.name)

    def delete_user(self, user: Any) -> None:
        """One deleted there is off it."""
        self.remove_name(user.name)
        super().delete_user(user)

    # What the class page does

    page_can = ("add", "remove", "reset")

    def page_rows(self) -> list[class_page.Row]:
        """The class, name by name."""
        return rows(self.db, self.first_password_key, self.roster, self.roster.names())

    def add_name(self, name: str) -> None:
        """Lets somebody in."""
        names.require(name)
        self.roster.add(name)

    def remove_name(self, name: str) -> None:
        """Keeps somebody out; the files stay."""
        self.roster.remove(name)
        if name not in self.roster.names():
            leaving.ask(name)

    def reset_name(self, name: str) -> None:
        """Gives somebody a new first password; whoever used the old one is out."""
        if name in self.roster.names():
            self.roster.reset(name)
            forget(self.db, name)
            leaving.ask(name)


def configure(c: Any, settings: Settings, secrets: Secrets) -> None:
    """Sets the names and the key of their passwords."""
    if secrets.roster_key is None:
        raise ValueError("login kind roster needs roster_key")
    c.JupyterHub.authenticator_class = RosterAuthenticator
    add_pages(c)
    c.RosterAuthenticator.roster = Roster(settings.login.users, settings.login.admins)
    c.RosterAuthenticator.first_password_key = secrets.roster_key.get_secret_value()
