"""What `roster` and `signup` share: a password for each name, kept in the hub's database."""

from __future__ import annotations

import asyncio
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
from tornado import web
from traitlets import Unicode

from .. import pools
from .slowed import SlowedLogins

SHORTEST = 10  # characters of a password that somebody chooses
FIRST_ROUNDS = 10  # of bcrypt
CHOSEN_ROUNDS = 12  # of what somebody chooses: NativeAuthenticator's number
_LOOKED_AT = 72  # bytes: bcrypt never looked at more, and by now refuses it
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


async def hashed(password: str, rounds: int = CHOSEN_ROUNDS) -> bytes:
    """A password as it is kept. Takes a good part of a second, of another core than the hub's."""
    given = password.encode()[:_LOOKED_AT]
    return await pools.run(pools.PASSWORDS, bcrypt.hashpw, given, bcrypt.gensalt(rounds))


async def is_right(password: str, kept: bytes) -> bool:
    """Whether a password is the one that is kept."""
    return await pools.run(pools.PASSWORDS, bcrypt.checkpw, password.encode()[:_LOOKED_AT], kept)


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

    async def post(self) -> None:
        """NativeAuthenticator would look at a wrong password twice."""
        told = {name: self.get_argument(name, strip=False) for name in self.request.arguments}
        if user := await self.login_user(told):
            self._jupyterhub_user = user  # for the log
            self.redirect(self.get_next_url(user))
            return
        wrong = "Invalid username or password."
        self.finish(await self._render(login_error=wrong, username=told["username"]))


class ChangePassword(ChangePasswordHandler):
    """NativeAuthenticator's form for one's own password."""

    @web.authenticated
    async def post(self) -> None:
        """Says whether the new one holds from now on, or why not."""
        asked = ("old_password", "new_password", "new_password_confirmation")
        old, new, again = (self.get_body_argument(name, strip=False) for name in asked)
        name = self.current_user.name
        problem = await self.authenticator.change(name, old, new, again)
        html = await self.render_template(
            "change-password.html",
            user_name=name,
            result_message=problem or "Your password has been changed successfully!",
            alert="alert-danger" if problem else "alert-success",
        )
        self.finish(html)


class HashedAside(NativeAuthenticator):
    """NativeAuthenticator whose hashes hold nobody up."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._keeping: set[asyncio.Task[None]] = set()

    def first_password_of(self, name: str) -> str | None:
        """The first password of whoever has one."""
        return None

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """The name of whoever has the right password."""
        name = self.normalize_username(data["username"])
        info = await self._proven(name, data["password"])
        if info is None or (info.has_2fa and not info.is_valid_token(data.get("2fa"))):
            return None
        if not info.is_authorized:
            raise web.HTTPError(
                403, f"User {name} has not been authorized by an administrator yet."
            )
        return str(name)

    async def _proven(self, name: str, password: str) -> UserInfo | None:
        """What is kept for a name, where the password is its own.

        A first password is known without a hash. One is made of it, so that it stays when the key
        changes, but nobody waits for that: a class that logs in at once would.
        """
        info, first = self.get_user(name), self.first_password_of(name)
        has_first = first is not None and (info is None or is_first(info))
        if first and has_first and hmac.compare_digest(first.encode(), password.encode()):
            return info or self._kept_soon(name, first)
        if info is not None and await is_right(password, bytes(info.password)):
            return info
        return None

    def _kept_soon(self, name: str, first: str) -> UserInfo:
        self._keeping.add(task := asyncio.ensure_future(self._keep_first(name, first)))
        task.add_done_callback(self._keeping.discard)
        return UserInfo(username=name, is_authorized=True)

    async def _keep_first(self, name: str, first: str) -> None:
        made = await hashed(first, FIRST_ROUNDS)
        if UserInfo.find(self.db, name) is None:  # or it was changed meanwhile
            self._keep(name, made)

    def _keep(self, name: str, password: bytes) -> None:
        self.db.add(UserInfo(username=name, password=password, is_authorized=True))
        self.db.commit()

    async def change(self, name: str, old: str, new: str, again: str) -> str | None:
        """Gives somebody the password that they chose, or says why not."""
        if await self._proven(name, old) is None:
            return "Your current password was incorrect. Please try again."
        if new != again:
            return "Your new password didn't match the confirmation. Please try again."
        if not self.is_password_strong(new):
            return (
                f"Your new password has to have {self.minimum_password_length} characters or more, "
                "and not to be a common one."
            )
        made = await hashed(new)
        if (info := self.get_user(name)) is None:
            self._keep(name, made)
        else:
            info.password = made
            self.db.commit()
        return None


class PasswordsByName(SlowedLogins, HashedAside):
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
        return [(r"/login", LoginForm), (r"/change-password", ChangePassword)]

    def get_user(self, username: str) -> Any:
        """What is kept for a name, as it is now: `make roster RESET=…` writes beside the hub.

        A first password is kept from the first login on: a class of hundreds is no work at all.
        """
        info = super().get_user(username)
        if info is not None:
            self.db.refresh(info)
        return info
