"""Accounts from the command line, in the hub's container: what `make roster` calls.

`python3 -m hubkit.accounts list | sheet | add | remove | reset | free NAME`
"""

from __future__ import annotations

import argparse
import json
import sys

from jupyterhub import orm
from nativeauthenticator.orm import UserInfo
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from . import chart, names
from .folders import HOMES, STATE
from .login import class_page, leaving
from .login.passwords import forget
from .login.roster import Roster, rows
from .login.subjects import Subjects
from .login.taken import Taken
from .settings import LoginKind, load_secrets, load_settings


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hubkit.accounts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="names and first passwords")
    listing.add_argument("--json", action="store_true", help="as JSON")
    commands.add_parser("sheet", help="a page to print and cut")
    for command, text in (
        ("add", "lets a name in that the class page kept out"),
        ("remove", "keeps a name out"),
        ("reset", "gives a name a new first password"),
        ("free", "gives a name to the next account of the provider that comes by it"),
    ):
        commands.add_parser(command, help=text).add_argument("name")
    return parser.parse_args()


def main() -> None:
    """The command line."""
    arguments = _arguments()
    if not names.is_allowed(getattr(arguments, "name", "a")):
        sys.exit(f"{arguments.name} is no name here. A name is {names.RULE}.")
    if arguments.command == "free":
        _free(arguments.name)
    else:
        _roster(arguments)


def _roster(arguments: argparse.Namespace) -> None:
    settings, secret = load_settings(), load_secrets().roster_key
    if settings.login.kind not in (LoginKind.roster, LoginKind.signup) or secret is None:
        sys.exit("This hub has no roster: set jupyterhub:hub.login.kind to roster, then make up.")
    key = secret.get_secret_value()
    roster = Roster(settings.login.users, settings.login.admins)  # signup: the admins alone
    db = sessionmaker(bind=create_engine(chart.database(STATE)))()
    if arguments.command in ("add", "remove"):
        getattr(roster, arguments.command)(arguments.name)
        if arguments.name not in roster.names():
            leaving.ask(arguments.name)
        return
    listed = roster.names()
    if arguments.command == "reset":
        if settings.login.kind is LoginKind.signup and arguments.name not in listed:
            _let_sign_up_again(db, arguments.name, settings.login.approval)
            return
        _reset(db, roster, arguments.name)
        listed = [arguments.name]
    found = rows(db, key, roster, listed)
    if arguments.command == "sheet":
        print(class_page.sheet(settings.title, settings.public_url, found))
    elif getattr(arguments, "json", False):
        print(json.dumps([row.document() for row in found]))
    else:
        _print(found)


def _reset(db: Session, roster: Roster, name: str) -> None:
    if name not in roster.names():
        sys.exit(f"{name} is not on the roster: {', '.join(roster.names())}")
    roster.reset(name)
    forget(db, name)
    leaving.ask(name)


def _let_sign_up_again(db: Session, name: str, approval: bool) -> None:
    taken = Taken()
    has_account = UserInfo.find(db, name) or orm.User.find(db, name)
    if not has_account and not taken.has_files(name):
        sys.exit(f"{name} is nobody's name here: whoever wants it can sign up by it.")
    taken.give(name)
    forget(db, name)
    leaving.ask(name)
    then = "once you let them in" if approval else "at once: see that it is the right one"
    print(f"{name}: whoever signs up by this name next gets its files, {then}.")


def _print(found: list[class_page.Row]) -> None:
    width = max(len(row.name) for row in found)
    print(f"{'name':{width}}  {'first password':24}  last seen")
    for row in found:
        print(f"{row.name:{width}}  {row.password:24}  {row.last_seen}")


def _free(name: str) -> None:
    subjects = Subjects(load_settings().login.kind)
    known = subjects.known()
    # In a cluster the hub doesn't see homes.
    if name not in known and HOMES.is_dir() and not Taken().has_files(name):
        sys.exit(f"{name} never logged in here. Names: {', '.join(sorted(known)) or 'none'}")
    subjects.free(name)
    leaving.ask(name)
    print(f"{name}: the next account that comes by this name gets its files.")


if __name__ == "__main__":
    main()
