"""Login kinds: one file each. A further kind is one more line in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import names
from ..settings import LoginKind, Secrets, Settings
from . import class_password, lti13, oidc, roster, signup

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
    KINDS[settings.login.kind](c, settings, secrets)
    accounts = {n for n, g in settings.files.groups.items() if g.together}
    c.JupyterHub.authenticator_class = _for_people(c.JupyterHub.authenticator_class, accounts)


def _for_people(kind: type[Any], groups: set[str]) -> type[Any]:
    """The login, which isn't asked about groups' own accounts.

    JupyterHub asks about every account at its start, and about a server's before the server starts;
    those names are none that may log in.
    """

    class ForPeople(kind):
        def add_user(self, user: Any) -> Any:
            if names.group_of(user.name) in groups:
                return None
            return super().add_user(user)

        async def refresh_user(self, user: Any, handler: Any = None, **how: Any) -> Any:
            if names.group_of(user.name) in groups:
                return True
            return await super().refresh_user(user, handler, **how)

    return ForPeople
