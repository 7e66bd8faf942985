"""The roster: a list of names, each with a first password that can be printed at any time.

`python3 -m hubkit.roster list | reset NAME`, inside the hub's container.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import sys
from pathlib import Path
from typing import Any

import bcrypt
import nativeauthenticator
from jupyterhub import orm
from jupyterhub.handlers import BaseHandler
from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.orm import UserInfo
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker
from tornado import web
from traitlets import List, Unicode

from . import names

STATE = Path("/srv/state")
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


def resets(state: Path) -> dict[str, int]:
    """How often each name's password was reset."""
    file = state / "roster.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _save_resets(state: Path, counts: dict[str, int]) -> None:
    partial = state / "roster.json.new"
    partial.write_text(json.dumps(counts))
    os.replace(partial, state / "roster.json")


def template_paths() -> list[str]:
    """Pages of NativeAuthenticator, for changing one's password."""
    return [str(Path(nativeauthenticator.__file__).parent / "templates")]


def set_password(db: Session, name: str, password: str) -> None:
    """Makes the password valid, whatever it was before."""
    info = UserInfo.find(db, name)
    if info is None:
        info = UserInfo(username=name, password=b"", is_authorized=True)
        db.add(info)
    info.password = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=10))
    info.is_authorized = True
    db.commit()


class RosterAuthenticator(NativeAuthenticator):
    """NativeAuthenticator without a sign-up: only names of the roster, which have a password."""

    roster = List(Unicode(), config=True, help="Names that may log in.")
    roster_key = Unicode(config=True, help="Key that first passwords are made from (hex).")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.enable_signup = False
        self.allowed_failed_logins = 10
        self.seconds_before_next_try = 60
        self.auth_refresh_age = 30  # a removed name is out within this many seconds
        self.refresh_pre_spawn = True
        self._add_new_names()

    def _add_new_names(self) -> None:
        """Names new on the roster get their first password; the others keep what they have."""
        counts = resets(STATE)
        for name in self.roster:
            if UserInfo.find(self.db, name) is None:
                password = first_password(self.roster_key, name, counts.get(name, 0))
                set_password(self.db, name, password)

    async def authenticate(self, handler: BaseHandler, data: dict[str, str]) -> Any:
        """Refuses names that can't be, and names that are no longer on the roster."""
        name = self.normalize_username(data["username"])
        if not names.is_allowed(name):
            raise web.HTTPError(403, f"This name can't be used. A name is {names.RULE}.")
        if name not in self.roster:
            return None
        return await super().authenticate(handler, data)

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool:
        """Ends the session of a name that was removed."""
        return user.name in self.roster


def _open(state: Path) -> Session:
    engine = create_engine(f"sqlite:///{state}/jupyterhub.sqlite")
    return sessionmaker(bind=engine)()


def sheet(db: Session, key: str, roster: list[str], counts: dict[str, int]) -> list[dict[str, str]]:
    """A row for each name: its first password, or that its user has changed it."""
    rows = []
    for name in roster:
        password = first_password(key, name, counts.get(name, 0))
        info = UserInfo.find(db, name)
        own = info is not None and not info.is_valid_password(password)
        user = db.query(orm.User).filter(orm.User.name == name).first()
        last = user.last_activity.strftime("%Y-%m-%d") if user and user.last_activity else "never"
        shown = "(changed by the user)" if own else password
        rows.append({"name": name, "first_password": shown, "last_seen": last})
    return rows


def main() -> None:
    """The command line."""
    from .settings import LoginKind, load_secrets, load_settings

    parser = argparse.ArgumentParser(prog="hubkit.roster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="names and first passwords")
    listing.add_argument("--json", action="store_true", help="as JSON")
    commands.add_parser("reset", help="a new first password").add_argument("name")
    arguments = parser.parse_args()
    settings, key = load_settings(), load_secrets().roster_key
    if settings.login.kind is not LoginKind.roster or key is None:
        sys.exit("This hub has no roster: set jupyterhub:hub.login.kind to roster, then make up.")
    roster = sorted({*settings.login.users, *settings.login.admins})
    counts, db = resets(STATE), _open(STATE)
    if arguments.command == "reset":
        if arguments.name not in roster:
            sys.exit(f"{arguments.name} is not on the roster: {', '.join(roster)}")
        counts[arguments.name] = counts.get(arguments.name, 0) + 1
        _save_resets(STATE, counts)
        fresh = first_password(key.get_secret_value(), arguments.name, counts[arguments.name])
        set_password(db, arguments.name, fresh)
        roster = [arguments.name]
    rows = sheet(db, key.get_secret_value(), roster, counts)
    if getattr(arguments, "json", False):
        print(json.dumps(rows))
        return
    width = max(len(row["name"]) for row in rows)
    print(f"{'name':{width}}  {'first password':24}  last seen")
    for row in rows:
        print(f"{row['name']:{width}}  {row['first_password']:24}  {row['last_seen']}")


if __name__ == "__main__":
    main()
