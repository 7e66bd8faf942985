"""Rights end: of who leaves `admins`, is reset, removed or deleted; on a real hub, started anew as
`make up` does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
from hubkit.login.leaving import LEAVING
from hubkit.login.roster import Roster

from tests.client import User
from tests.unit.hubkit.hubs import wait_for
from tests.unit.hubkit.real_hub import PeoplesHub

ROSTER = {"kind": "roster", "users": ["anna", "carla"], "admins": ["teacher", "ben"]}
SIGNUP = {"kind": "signup", "users": [], "admins": ["teacher"]}
WORDS = "a long password"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> PeoplesHub:
    return PeoplesHub(tmp_path_factory.mktemp("rights"))


def roster_of(hub: PeoplesHub) -> Roster:
    """What the class page has changed, seen from beside the hub."""
    return Roster(ROSTER["users"], ROSTER["admins"], hub.state)


def key_of(hub: PeoplesHub, name: str) -> str:
    """What somebody's cookies are good by."""
    with closing(sqlite3.connect(hub.state / "jupyterhub.sqlite")) as db:
        query = "SELECT cookie_id FROM users WHERE name = ?"
        return str(db.execute(query, (name,)).fetchone()[0])


def token_of(hub: PeoplesHub, name: str) -> str:
    return str(hub.ask("POST", f"/users/{name}/tokens").json()["token"])


def test_who_left_admins_is_none_after_a_start(hub: PeoplesHub) -> None:
    with hub.started(ROSTER):
        ben, teacher = hub.logged_in("ben"), hub.logged_in("teacher")
        assert hub.is_admin(ben) and hub.is_admin(teacher)
        carla, token = hub.logged_in("carla"), token_of(hub, "ben")
        before = key_of(hub, "carla")
        assert hub.ask("GET", "/users", token).status_code == 200
    with hub.started(ROSTER | {"users": ["anna", "ben"], "admins": ["teacher"]}):
        assert hub.is_in(ben) and not hub.is_admin(ben)
        assert not hub.is_admin(hub.logged_in("ben"))
        assert hub.ask("GET", "/users", token).status_code == 403
        assert hub.is_admin(teacher)
        # Off the list and on it again: not by what she had before.
        wait_for(lambda: key_of(hub, "carla") != before, seconds=15)
        Roster(["anna", "ben"], ["teacher"], hub.state).add("carla")
        assert hub.is_in(hub.logged_in("carla")) and not hub.is_in(carla)


@pytest.fixture(scope="module")
def roster(hub: PeoplesHub) -> Iterator[PeoplesHub]:
    with hub.started(ROSTER):
        yield hub


def change(hub: PeoplesHub, teacher: User, method: str, path: str, body: Any) -> requests.Response:
    """As JupyterHub's admin page sends it."""
    headers = {"X-XSRFToken": teacher._xsrf("/hub/"), "Referer": f"{hub.url}/hub/admin"}
    return teacher.session.request(method, f"{hub.api}{path}", json=body, headers=headers)


def test_the_admin_page_makes_no_admins(roster: PeoplesHub) -> None:
    hub, teacher = roster, roster.logged_in("teacher")
    hub.logged_in("anna")
    refused = change(hub, teacher, "PATCH", "/users/anna", {"name": "anna", "admin": True})
    assert refused.status_code == 400
    assert "jupyterhub:hub.admins" in refused.json()["message"]
    assert not hub.ask("GET", "/users/anna").json()["admin"]
    refused = change(hub, teacher, "POST", "/users", {"usernames": ["dora"], "admin": True})
    assert refused.status_code == 400
    assert change(hub, teacher, "PATCH", "/users/anna", {"name": "anna", "admin": False}).ok
    assert change(hub, teacher, "PATCH", "/users/ben", {"name": "ben", "admin": True}).ok


def everything_of(hub: PeoplesHub, name: str) -> tuple[User, str]:
    """Somebody with a session, a token and a server."""
    user = hub.logged_in(name)
    token = token_of(hub, name)
    assert hub.ask("POST", f"/users/{name}/server").ok
    wait_for(lambda: name in hub.running())
    assert hub.is_in(user) and hub.opens(token)
    return user, token


def nothing_is_left(hub: PeoplesHub, name: str, user: User, token: str) -> bool:
    out = not hub.is_in(user) and not hub.opens(token)
    return out and name not in hub.running()


def test_a_reset_ends_everything_of_the_name(roster: PeoplesHub) -> None:
    hub = roster
    anna, token = everything_of(hub, "anna")
    hub.command("reset", "anna")
    wait_for(lambda: nothing_is_left(hub, "anna", anna, token), seconds=15)
    assert hub.is_in(hub.logged_in("anna"))  # by the new password
    assert not list((hub.state / "leaving").iterdir())


def test_who_is_removed_has_no_server_any_more(roster: PeoplesHub) -> None:
    hub, teacher = roster, roster.logged_in("teacher")
    carla, token = everything_of(hub, "carla")
    teacher.session.get(f"{hub.url}/hub/class")
    form = {"action": "remove", "name": "carla", "_xsrf": teacher._xsrf("/hub/")}
    teacher.session.post(f"{hub.url}/hub/class", data=form)
    wait_for(lambda: nothing_is_left(hub, "carla", carla, token), seconds=15)
    roster_of(hub).add("carla")
    assert not hub.is_in(carla) and not hub.opens(token)  # not by what she had before
    assert hub.is_in(hub.logged_in("carla"))


def test_a_server_of_a_name_that_is_not_on_the_list_ends(roster: PeoplesHub) -> None:
    """However it came off: by hand in the stack file, too."""
    hub = roster
    anna, token = everything_of(hub, "anna")
    roster_of(hub).remove("anna")
    wait_for(lambda: nothing_is_left(hub, "anna", anna, token), seconds=15)
    roster_of(hub).add("anna")


def test_a_name_that_is_none_is_no_file(roster: PeoplesHub) -> None:
    assert "is no name here" in roster.command("reset", "../anna")
    assert not (roster.state / "anna").exists()


def sign_up(hub: PeoplesHub, name: str) -> str:
    user = User(hub.url, name)
    user.session.get(f"{hub.url}/hub/signup")
    form = {
        "username": name,
        "signup_password": WORDS,
        "signup_password_confirmation": WORDS,
        "_xsrf": user._xsrf("/hub/"),
    }
    return user.session.post(f"{hub.url}/hub/signup", data=form).text


def on_the_class_page(hub: PeoplesHub, teacher: User, action: str, name: str) -> None:
    teacher.session.get(f"{hub.url}/hub/class")
    form = {"action": action, "name": name, "_xsrf": teacher._xsrf("/hub/")}
    assert teacher.session.post(f"{hub.url}/hub/class", data=form).ok


def has_account(hub: PeoplesHub, teacher: User, name: str) -> bool:
    return f'value="{name}"' in teacher.session.get(f"{hub.url}/hub/class").text


@pytest.fixture(scope="module")
def signup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeoplesHub]:
    """A hub whose database was lost: there is a home of zoe, and nobody is known."""
    made = PeoplesHub(tmp_path_factory.mktemp("signup"))
    (made.homes / "zoe").mkdir()
    with made.started(SIGNUP):
        yield made


def test_a_home_of_a_lost_database_is_nobody_elses(signup: PeoplesHub) -> None:
    hub, teacher = signup, signup.logged_in("teacher")
    assert "username is already in use" in sign_up(hub, "zoe")
    assert not has_account(hub, teacher, "zoe")
    assert "whoever signs up by this name next" in hub.command("reset", "zoe")
    wait_for(lambda: not (hub.state / LEAVING / "zoe").exists())  # or it ends what is new, too
    sign_up(hub, "zoe")
    on_the_class_page(hub, teacher, "approve", "zoe")
    assert hub.is_in(hub.logged_in("zoe", WORDS))
    assert "username is already in use" in sign_up(hub, "zoe")  # once


def test_discarding_gives_no_home_away(signup: PeoplesHub) -> None:
    """Not even of somebody whose account was deleted in JupyterHub's admin page."""
    hub, teacher = signup, signup.logged_in("teacher")
    sign_up(hub, "yves")
    on_the_class_page(hub, teacher, "approve", "yves")
    hub.logged_in("yves", WORDS)
    assert change(hub, teacher, "DELETE", "/users/yves", None).status_code == 204
    on_the_class_page(hub, teacher, "discard", "yves")  # in a cluster the hub sees no home
    assert "username is already in use" in sign_up(hub, "yves")
    sign_up(hub, "xaver")
    (hub.homes / "xaver").mkdir()
    on_the_class_page(hub, teacher, "discard", "xaver")
    assert "username is already in use" in sign_up(hub, "xaver")
    sign_up(hub, "wim")
    on_the_class_page(hub, teacher, "discard", "wim")
    assert not has_account(hub, teacher, "wim")


def test_who_is_kept_out_has_no_server_any_more(signup: PeoplesHub) -> None:
    hub, teacher = signup, signup.logged_in("teacher")
    sign_up(hub, "vera")
    on_the_class_page(hub, teacher, "approve", "vera")
    vera = hub.logged_in("vera", WORDS)
    token = token_of(hub, "vera")
    assert hub.ask("POST", "/users/vera/server").ok
    wait_for(lambda: "vera" in hub.running())
    on_the_class_page(hub, teacher, "remove", "vera")
    wait_for(lambda: nothing_is_left(hub, "vera", vera, token), seconds=15)
