"""Login kinds. A further kind is one more function in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyterhub.authenticators.shared import SharedPasswordAuthenticator
from jupyterhub.handlers import BaseHandler
from tornado import web

from . import names, roster
from .settings import LoginKind, Secrets, Settings


class ClassPasswordAuthenticator(SharedPasswordAuthenticator):
    """One password for everybody, and names that are safe everywhere."""

    async def authenticate(self, handler: BaseHandler, data: dict[str, str]) -> Any:
        """Answers a name that can't be with the reason, not with `invalid password`."""
        if not names.is_allowed(self.normalize_username(data["username"])):
            raise web.HTTPError(403, f"This name can't be used. A name is {names.RULE}.")
        return await super().authenticate(handler, data)


def _class_password(c: Any, settings: Settings, secrets: Secrets) -> None:
    if secrets.class_password is None or secrets.admin_password is None:
        raise ValueError("login kind class_password needs class_password and admin_password")
    c.JupyterHub.authenticator_class = ClassPasswordAuthenticator
    c.ClassPasswordAuthenticator.user_password = secrets.class_password.get_secret_value()
    c.ClassPasswordAuthenticator.admin_password = secrets.admin_password.get_secret_value()
    c.ClassPasswordAuthenticator.allow_all = True


def _roster(c: Any, settings: Settings, secrets: Secrets) -> None:
    if secrets.roster_key is None:
        raise ValueError("login kind roster needs roster_key")
    c.JupyterHub.authenticator_class = roster.RosterAuthenticator
    c.JupyterHub.template_paths += roster.template_paths()
    c.RosterAuthenticator.roster = sorted({*settings.login.users, *settings.login.admins})
    c.RosterAuthenticator.allowed_users = {*settings.login.users, *settings.login.admins}
    c.RosterAuthenticator.roster_key = secrets.roster_key.get_secret_value()


KINDS: dict[LoginKind, Callable[[Any, Settings, Secrets], None]] = {
    LoginKind.class_password: _class_password,
    LoginKind.roster: _roster,
}


def configure(c: Any, settings: Settings, secrets: Secrets) -> None:
    """Sets the authenticator of the stack's kind, and what holds for every kind."""
    c.Authenticator.username_pattern = names.USERNAME_PATTERN
    c.Authenticator.admin_users = set(settings.login.admins)
    c.Authenticator.delete_invalid_users = False
    KINDS[settings.login.kind](c, settings, secrets)
