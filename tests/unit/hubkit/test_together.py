"""Who is let into a group's common server, and what happens when somebody is a member no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hubkit import names
from hubkit.login import _for_people
from hubkit.login.class_password import ClassPasswordAuthenticator
from hubkit.settings import Group
from hubkit.together import VISITORS, Together, role_of
from jupyterhub import orm, roles
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker
from tornado import web

ACCOUNT = "_muons"


class Account:
    """A user of the hub, and the server that is stopped."""

    def __init__(self, orm_user: orm.User) -> None:
        self.orm_user, self.name = orm_user, orm_user.name
        self.active, self.stopped = False, 0
        self.spawners = {"": SimpleNamespace(pending=None, _stop_pending=False)}

    async def stop(self, _: str) -> None:
        self.active, self.stopped = False, self.stopped + 1


class Users(dict[str, Account]):
    """As JupyterHub's: made from the database when they are asked for."""

    def __init__(self, db: Session) -> None:
        self._db = db

    def get(self, name: str, default: Any = None) -> Any:
        found = orm.User.find(self._db, name)
        return self.setdefault(name, Account(found)) if found else default


class Login:
    """A login that says who may still come in."""

    manage_groups, auth_refresh_age = False, 30

    def __init__(self) -> None:
        self.out: set[str] = set()

    async def refresh_user(self, user: Account) -> bool:
        return user.name not in self.out


class Routes:
    """The proxy's."""

    async def delete_user(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Any]:
    """A hub with anna, ben and carla, and the real database beneath."""
    engine = create_engine("sqlite://")
    orm.Base.metadata.create_all(engine)
    db = sessionmaker(bind=engine)()
    for role in roles.get_default_roles():
        roles.create_role(db, role)
    db.add_all([orm.User(name=name) for name in ("anna", "ben", "carla")])
    db.commit()
    log = SimpleNamespace(warning=lambda *_: None)
    yield SimpleNamespace(db=db, users=Users(db), authenticator=Login(), proxy=Routes(), log=log)
    db.close()


def together(hub: Any, state: Path, *members: str) -> Together:
    """As a hub starts: with the roles that the stack file wants."""
    known = Group(
        members=list(members), hub_groups=["at-the-provider"], together=True, image=None, size=None
    )
    settings: Any = SimpleNamespace(files=SimpleNamespace(groups={"muons": known}))
    made = Together(settings, state)
    for role in made.roles():
        roles.create_role(hub.db, role)
    return made


def done(work: Coroutine[Any, Any, Any]) -> Any:
    loop = asyncio.new_event_loop()  # asyncio.run would end the one of other tests
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def let_in(hub: Any, them: Together, name: str) -> None:
    done(them.let_in(hub, hub.users.get(name), "muons"))


def look(hub: Any, them: Together) -> None:
    done(them._look(hub, "muons"))


def holders(hub: Any) -> set[str]:
    return {user.name for user in orm.Role.find(hub.db, role_of("muons")).users}


def test_only_members_are_offered_it_and_let_in(hub: Any, tmp_path: Path) -> None:
    them = together(hub, tmp_path, "anna")
    assert them.offered(hub.users.get("anna")) == ["muons"]
    assert them.offered(hub.users.get("carla")) == them.offered(None) == []
    let_in(hub, them, "anna")
    with pytest.raises(web.HTTPError, match="You are not in a group muons"):
        let_in(hub, them, "carla")
    assert holders(hub) == {"anna"}
    assert orm.User.find(hub.db, ACCOUNT)


def test_one_of_the_providers_group_is_a_member(hub: Any, tmp_path: Path) -> None:
    them = together(hub, tmp_path)
    carla = hub.users.get("carla")
    carla.orm_user.groups.append(orm.Group(name="muons"))  # of this name anybody may make one there
    with pytest.raises(web.HTTPError, match="403"):
        let_in(hub, them, "carla")
    carla.orm_user.groups = [orm.Group(name="at-the-provider")]
    let_in(hub, them, "carla")
    carla.orm_user.groups = []
    look(hub, them)
    assert holders(hub) == set()


def test_a_member_taken_away_while_the_hub_was_replaced_ends_the_server(
    hub: Any, tmp_path: Path
) -> None:
    for name in ("anna", "ben"):
        let_in(hub, together(hub, tmp_path, "anna", "ben"), name)
    hub.users.get(ACCOUNT).active = True
    look(hub, together(hub, tmp_path, "anna", "ben"))
    assert hub.users.get(ACCOUNT).stopped == 0
    look(hub, together(hub, tmp_path, "anna"))
    assert hub.users.get(ACCOUNT).stopped == 1
    assert holders(hub) == {"anna"}
    assert json.loads((tmp_path / VISITORS).read_text()) == {"muons": ["anna"]}
    look(hub, together(hub, tmp_path, "anna"))
    assert hub.users.get(ACCOUNT).stopped == 1


def test_one_whom_the_login_refuses_now_is_out(hub: Any, tmp_path: Path) -> None:
    them = together(hub, tmp_path, "anna", "ben")
    let_in(hub, them, "ben")
    hub.users.get(ACCOUNT).active = True
    hub.authenticator.out = {"ben"}
    look(hub, them)
    assert (hub.users.get(ACCOUNT).stopped, holders(hub)) == (1, set())


def test_one_who_was_deleted_or_renamed_is_out(hub: Any, tmp_path: Path) -> None:
    them = together(hub, tmp_path, "anna", "ben")
    let_in(hub, them, "anna")
    let_in(hub, them, "ben")
    hub.users.get(ACCOUNT).active = True
    hub.db.delete(orm.User.find(hub.db, "ben"))
    orm.User.find(hub.db, "anna").name = "zoe"
    hub.users.clear()
    hub.users.get(ACCOUNT).active = True
    look(hub, them)
    assert (hub.users.get(ACCOUNT).stopped, holders(hub)) == (1, set())


def test_a_server_that_cannot_be_stopped_yet_is_stopped_later(hub: Any, tmp_path: Path) -> None:
    let_in(hub, together(hub, tmp_path, "anna"), "anna")
    account = hub.users.get(ACCOUNT)
    account.active, account.spawners[""].pending = True, "check"
    them = together(hub, tmp_path)
    look(hub, them)
    assert (account.stopped, holders(hub)) == (0, set())
    account.spawners[""].pending = None
    look(hub, them)
    assert account.stopped == 1


def test_nobody_can_have_an_accounts_name() -> None:
    assert not names.is_allowed(ACCOUNT)
    assert names.is_allowed(names.mapped(ACCOUNT))
    assert names.group_of(names.account("muons")) == "muons"
    assert names.group_of("muons") is None
    assert names.escaped(ACCOUNT) != names.escaped("muons")


def test_the_login_is_not_asked_about_an_account() -> None:
    kind = _for_people(ClassPasswordAuthenticator, {"muons"})
    login = kind(username_pattern=names.USERNAME_PATTERN, allow_all=True)
    login.add_user(SimpleNamespace(name=ACCOUNT))  # as JupyterHub does at its start
    with pytest.raises(ValueError, match="Invalid username"):
        login.add_user(SimpleNamespace(name="Anna"))
    with pytest.raises(ValueError, match="Invalid username"):
        login.add_user(SimpleNamespace(name="_pions"))  # no group of the stack's
    assert done(login.refresh_user(SimpleNamespace(name=ACCOUNT)))  # before its server
    assert not login.validate_username(ACCOUNT)
