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

STATE = Path("/srv/state")
SHORTEST = 10  # characters of a password that somebody chooses
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


def set_password(db: Session, name: str, password: str) -> None:
    """Makes the password valid, whatever it was before."""
    info = UserInfo.find(db, name)
    if info is None:
        info = UserInfo(username=name, password=b"", is_authorized=True)
        db.add(info)
    info.password = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=10))
    info.is_authorized = True
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

    def get_user(self, username: str) -> Any:
        """What is kept for a name, as it is now: `make roster RESET=…` writes beside the hub."""
        info = super().get_user(username)
        if info is not None:
            self.db.refresh(info)
        return info

    def seed(self, name: str, count: int = 0, *, again: bool = False) -> None:
        """Gives a name its first password where it has none; `again`: in any case."""
        if again or UserInfo.find(self.db, name) is None:
            set_password(self.db, name, first_password(self.first_password_key, name, count))

    def forget(self, name: str) -> None:
        """Takes a name's password away."""
        if (info := UserInfo.find(self.db, name)) is not None:
            self.db.delete(info)
            self.db.commit()
