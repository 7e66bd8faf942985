"""Accounts from the command line, in the hub's container: what `make roster` calls.

`python3 -m hubkit.accounts list | sheet | add | remove | reset | free NAME`
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sqlalchemy.orm import Session

from . import chart, database, kept
from .folders import STATE
from .login import class_page, oidc
from .login.passwords import forget
from .login.roster import Roster, rows
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
    if arguments.command == "free":
        _free(arguments.name, STATE / oidc.SUBJECTS)
    else:
        _roster(arguments)


def _roster(arguments: argparse.Namespace) -> None:
    settings, secret = load_settings(), load_secrets().roster_key
    if settings.login.kind not in (LoginKind.roster, LoginKind.signup) or secret is None:
        sys.exit("This hub has no roster: set jupyterhub:hub.login.kind to roster, then make up.")
    key = secret.get_secret_value()
    roster = Roster(settings.login.users, settings.login.admins)  # signup: the admins alone
    db = database.session(chart.database(STATE))
    if arguments.command in ("add", "remove"):
        getattr(roster, arguments.command)(arguments.name)
        return
    listed = roster.names()
    if arguments.command == "reset":
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


def _print(found: list[class_page.Row]) -> None:
    width = max(len(row.name) for row in found)
    print(f"{'name':{width}}  {'first password':24}  last seen")
    for row in found:
        print(f"{row.name:{width}}  {row.password:24}  {row.last_seen}")


def _free(name: str, file: Path) -> None:
    known = kept.read(file, {})
    if name not in known:
        sys.exit(f"{name} never logged in here. Names: {', '.join(sorted(known)) or 'none'}")
    kept.replace(file, {other: subject for other, subject in known.items() if other != name})
    print(f"{name}: the next account that comes by this name gets its files.")


if __name__ == "__main__":
    main()
