"""Login kind `class_password`: one password for everybody."""

from __future__ import annotations

from typing import Any

from jupyterhub.authenticators.shared import SharedPasswordAuthenticator

from ..settings import Secrets, Settings
from .slowed import SlowedLogins

_EVERYBODY = ""  # no person's name


class ClassPasswordAuthenticator(SlowedLogins, SharedPasswordAuthenticator):
    """JupyterHub's own, with names that are safe everywhere."""

    # A class behind one address mistypes one password.
    free, free_by_name = 30, 300

    def guessed(self, name: str) -> str:
        """Everybody but an admin has the same password: another name is no other try."""
        return name if name in self.admin_users else _EVERYBODY


def configure(c: Any, settings: Settings, secrets: Secrets) -> None:
    """Sets the two passwords."""
    if secrets.class_password is None or secrets.admin_password is None:
        raise ValueError("login kind class_password needs class_password and admin_password")
    c.JupyterHub.authenticator_class = ClassPasswordAuthenticator
    c.ClassPasswordAuthenticator.user_password = secrets.class_password.get_secret_value()
    c.ClassPasswordAuthenticator.admin_password = secrets.admin_password.get_secret_value()
    c.ClassPasswordAuthenticator.allow_all = True
