"""Login kinds: one file each. A further kind is one more line in `KINDS`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jupyterhub import orm

from .. import names
from ..settings import LoginKind, Secrets, Settings
from . import class_password, lti13, oidc, rights, roster, signup
from .leaving import Leaving
from .taken import Taken

KINDS: dict[LoginKind, Callable[[Any, Settings, Secrets], None]] = {
    LoginKind.class_password: class_password.configure,
    LoginKind.roster: roster.configure,
    LoginKind.signup: signup.configure,
    LoginKind.oidc: oidc.configure,
    LoginKind.lti13: lti13.configure,
}


def configure(c: Any, settings: Settings, secrets: Secrets) -> None:
    """Sets the authenticator of the stack's kind, and what holds for every kind."""
    c.Authenticator.username_pattern = names.USERNAME_PATTERN
    c.Authenticator.admin_users = set(settings.login.admins)
    c.Authenticator.delete_invalid_users = False
    c.Authenticator.allow_existing_users = False  # who was let in once isn't for ever
    c.Authenticator.any_allow_config = True  # our own check_allowed, which `allow_all` would skip
    rights.keep_to_the_stack_file()
    KINDS[settings.login.kind](c, settings, secrets)
    accounts = {n for n, g in settings.files.groups.items() if g.together}
    c.JupyterHub.authenticator_class = _for_people(c.JupyterHub.authenticator_class, accounts)


def _for_people(kind: type[Any], groups: set[str]) -> type[Any]:
    """The login, which isn't asked about groups' own accounts, and knows who may be here no more.

    JupyterHub asks about every account at its start, and about a server's before the server starts;
    groups' names are none that may log in.
    """

    class ForPeople(kind):
        def get_handlers(self, app: Any) -> Any:
            still_in = getattr(self, "still_in", lambda: None)
            self._watch = asyncio.ensure_future(Leaving(still_in).watch(app))
            return super().get_handlers(app)

        def is_admin(self, handler: Any, authentication: Any) -> bool:
            return authentication["name"] in self.admin_users

        def add_user(self, user: Any) -> Any:
            if names.group_of(user.name) in groups:
                return None
            # A class of JupyterHub's own at the hub's start only: the stack file may be another.
            if isinstance(user, orm.User) and user.admin:
                return self._add_admin(user)
            return super().add_user(user)

        async def _add_admin(self, user: orm.User) -> None:
            if not await self._is_admin_still(user):
                rights.take_back(user)
            super().add_user(user)

        def delete_user(self, user: Any) -> Any:
            Taken().deleted(user.name)
            return super().delete_user(user)

        async def _is_admin_still(self, user: orm.User) -> bool:
            told = getattr(self, "told_admin", None)
            return user.name in self.admin_users or bool(told and await told(user))

        async def refresh_user(self, user: Any, handler: Any = None, **how: Any) -> Any:
            if names.group_of(user.name) in groups:
                return True
            return await super().refresh_user(user, handler, **how)

    return ForPeople
