"""Login kind `signup`: people make accounts themselves, and the teacher lets them in."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from nativeauthenticator.handlers import SignUpHandler
from nativeauthenticator.orm import UserInfo
from sqlalchemy.orm import Session
from tornado import web

from .. import names
from ..settings import Secrets, Settings
from . import class_page, leaving
from .passwords import PasswordsByName, add_pages, first_password, forget
from .roster import Roster, rows
from .taken import Taken

MOST_WAITING = 500  # accounts nobody has approved, so that nobody can fill the database


class SignupAuthenticator(PasswordsByName):
    """Accounts that people make. Admins have first passwords: nobody else can take their names."""

    page_can = ("approve", "remove", "discard")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.enable_signup = True
        self.taken = Taken()

    def first_password_of(self, name: str) -> str | None:
        """The admins': so nobody else can sign up by their names."""
        if name not in self.admin_users:
            return None
        return first_password(self.first_password_key, name, Roster([], []).count(name))

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """Signing up, and the class page, as well."""
        own = [(r"/signup", SignUpHandler), *class_page.handlers()]
        return [*super().get_handlers(app), *own]

    def create_user(self, username: str, password: str, **infos: Any) -> Any:
        """An account, if its name can be one."""
        names.require(self.normalize_username(username))
        waiting = self.db.query(UserInfo).filter_by(is_authorized=False).count()
        if waiting >= MOST_WAITING:
            raise web.HTTPError(503, "Too many accounts wait for approval. Tell your teacher.")
        made = super().create_user(username, password, **infos)
        if made is not None:
            self.taken.came(made.username)
        return made

    def user_exists(self, username: str) -> bool:
        """Taken, too, is the name of whoever has files: of another login, or of a lost database."""
        name = self.normalize_username(username)
        return super().user_exists(name) or self._is_somebodys(name)

    def _is_somebodys(self, name: str) -> bool:
        known = _has_been_here(self.db, name) or self.taken.has_files(name)
        return known and not self.taken.is_given(name)

    def still_in(self) -> set[str]:
        """Who may be here now."""
        let_in = self.db.query(UserInfo.username).filter_by(is_authorized=True)
        return {*self.admin_users, *(name for (name,) in let_in)}

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Whether the teacher let this name in, and nobody removed it since."""
        info = self.get_user(username)
        return info is not None and bool(info.is_authorized)

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool:
        """Ends the session of a name that was removed."""
        return self.check_allowed(user.name)

    # What the class page does

    def page_rows(self) -> list[class_page.Row]:
        """Admins with their first passwords, and everybody who signed up."""
        admins = rows(
            self.db, self.first_password_key, Roster([], self.admin_users), sorted(self.admin_users)
        )
        others = self.db.query(UserInfo).order_by(UserInfo.is_authorized, UserInfo.username)
        return [
            *(
                class_page.Row(i.username, "", "", "in" if i.is_authorized else "not let in")
                for i in others
                if i.username not in self.admin_users
            ),
            *admins,
        ]

    def approve_name(self, name: str) -> None:
        """Lets somebody in who signed up."""
        if (info := self.get_user(name)) is not None:
            info.is_authorized = True
            self.db.commit()

    def remove_name(self, name: str) -> None:
        """Keeps somebody out. The name stays taken: nobody else may come to these files."""
        info = self.get_user(name)
        if info is not None and name not in self.admin_users:
            info.is_authorized = False
            self.db.commit()
            leaving.ask(name)

    def discard_name(self, name: str) -> None:
        """Frees the name of somebody who never was in, and under whose name nothing is kept."""
        if not self._is_somebodys(name) and name not in self.admin_users:
            forget(self.db, name)

    def delete_user(self, user: Any) -> None:
        """Deleted in JupyterHub's admin page: kept out as well. The name stays taken."""
        self.remove_name(user.name)


def _has_been_here(db: Session, name: str) -> bool:
    return db.query(orm.User).filter(orm.User.name == name).first() is not None


def configure(c: Any, settings: Settings, secrets: Secrets) -> None:
    """Sets who approves, and the key of the admins' passwords."""
    if secrets.roster_key is None:
        raise ValueError("login kind signup needs roster_key")
    c.JupyterHub.authenticator_class = SignupAuthenticator
    add_pages(c)
    c.SignupAuthenticator.open_signup = not settings.login.approval
    c.SignupAuthenticator.first_password_key = secrets.roster_key.get_secret_value()
