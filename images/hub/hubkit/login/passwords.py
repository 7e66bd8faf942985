"""What `roster` and `signup` share: a password for each name, kept in the hub's database."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import bcrypt
import nativeauthenticator
from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.handlers import ChangePasswordHandler, LoginHandler
from nativeauthenticator.orm import UserInfo
from sqlalchemy.orm import Session
from traitlets import Unicode

from .slowed import SlowedLogins

SHORTEST = 10  # characters of a password that somebody chooses
FIRST_ROUNDS = 10  # of bcrypt; NativeAuthenticator takes 12 for what somebody chooses
_CONSONANTS, _VOWELS = "bdfghjkmnprstvz", "aeiou"


def first_password(key: str, name: str, count: int) -> str:
    """A name's password, until its user changes it: `tamu-dofi-keru-9472`, 60 bits and more.

    Made from the roster's key, so it is stored nowhere and can be printed again.
    """
    digest = hmac.new(bytes.fromhex(key), f"{name} {count}".encode(), hashlib.sha256).digest()
    number = int.from_bytes(digest)
    letters = []
    for _ in range(8):
        number, consonant = divmod(number, len(_CONSONANTS))
        number, vowel = divmod(number, len(_VOWELS))
        letters.append(_CONSONANTS[consonant] + _VOWELS[vowel])
    words = ["".join(letters[i : i + 2]) for i in range(0, 8, 2)]
    return "-".join([*words, f"{number % 10_000:04}"])


def is_first(info: UserInfo) -> bool:
    """Whether a kept password is the first one: its user would have chosen one with more rounds.

    Comparing the password itself takes 50 ms, half a minute for a large class.
    """
    return bytes(info.password).startswith(b"$2b$%02d$" % FIRST_ROUNDS)


def forget(db: Session, name: str) -> None:
    """Takes a name's password away; its next login finds the first one."""
    if (info := UserInfo.find(db, name)) is not None:
        db.delete(info)
        db.commit()


def add_pages(c: Any) -> None:
    """NativeAuthenticator's pages, for signing up and changing one's password, and the class."""
    c.JupyterHub.template_paths += [str(Path(nativeauthenticator.__file__).parent / "templates")]
    c.JupyterHub.template_vars |= {"has_passwords": True}


class LoginForm(LoginHandler):
    """NativeAuthenticator's form, which can also show why a login was refused.

    JupyterHub renders errors of the form in the form, and without waiting (`sync`); the form of
    nativeauthenticator 1.3 doesn't take that.
    """

    _sync = False

    def _render(self, login_error: Any = None, username: Any = None, **more: Any) -> Any:
        self._sync = more.get("sync", False)
        return super()._render(login_error, username)

    def render_template(self, name: str, **values: Any) -> Any:
        """Renders a page."""
        return super().render_template(name, **{"sync": self._sync} | values)


class PasswordsByName(SlowedLogins, NativeAuthenticator):
    """NativeAuthenticator without its own counting of wrong passwords and its admin pages.

    (Those change things by GET, so a link in a notebook could; the class page has them instead.)
    """

    first_password_key = Unicode(config=True, help="Key that first passwords are made from (hex).")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.enable_signup = False
        self.allowed_failed_logins = 0
        self.minimum_password_length = SHORTEST
        self.check_common_password = True
        self.auth_refresh_age = 30  # who was removed is out within this many seconds
        self.refresh_pre_spawn = True

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """Login, and changing one's own password."""
        return [(r"/login", LoginForm), (r"/change-password", ChangePasswordHandler)]

    def first_password_of(self, name: str) -> str | None:
        """The first password of whoever has one."""
        return None

    def get_user(self, username: str) -> Any:
        """What is kept for a name, as it is now: `make roster RESET=…` writes beside the hub.

        A first password is kept from the first login on: a class of hundreds is no work at all.
        """
        info = super().get_user(username)
        if info is not None:
            self.db.refresh(info)
            return info
        name = self.normalize_username(username)
        if (password := self.first_password_of(name)) is None:
            return None
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=FIRST_ROUNDS))
        self.db.add(UserInfo(username=name, password=hashed, is_authorized=True))
        self.db.commit()
        return super().get_user(name)
