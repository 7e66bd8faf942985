"""What an admin may do, asked of a real hub's API: as an admin in a browser, and by their token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from jupyterhub import crypto, orm

from tests.unit.hubkit.hubs import TOKEN, Hub, running, settings

SECRET = "the-providers-token-of-anna"
Ask = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Anna has a server, a token of her own, and what a provider's login left."""
    made = Hub(tmp_path_factory.mktemp("hub"), settings())
    with running(made):
        made.start_server("anna")
        made.wait_for(lambda: "anna" in made.running())
        assert made.ask("POST", "/users/anna/tokens", json={}).ok
        db = orm.new_session_factory(made.database)()
        keeper = crypto.CryptKeeper(keys=[bytes.fromhex("cd" * 32)])
        kept = keeper._encrypt({"access_token": SECRET})
        orm.User.find(db, "anna").encrypted_auth_state = kept
        db.commit()
        db.close()
        yield made


@pytest.fixture(scope="module", params=["browser", "token"])
def ask(hub: Hub, request: pytest.FixtureRequest) -> Ask:
    teacher = hub.browser("teacher")
    if request.param == "browser":
        return teacher.ask
    token = teacher.ask("POST", "/users/teacher/tokens", json={}).json()["token"]
    return lambda method, path, **how: hub.ask(method, path, token, **how)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/users/anna/tokens", None),
        ("POST", "/users/anna/tokens", {}),
        ("DELETE", "/users/anna/tokens/a1", None),
        ("GET", "/users/anna/shared", None),
        ("POST", "/shares/anna/", {"user": "teacher"}),
        ("POST", "/share-codes/anna/", {}),
        ("GET", "/proxy", None),
        ("PATCH", "/proxy", {"api_url": "http://127.0.0.1:1"}),
        ("POST", "/services/page", {"url": "http://127.0.0.1:1"}),
        ("POST", "/shutdown", {"servers": True}),
    ],
)
def test_an_admin_is_nobody_else(ask: Ask, method: str, path: str, body: Any) -> None:
    assert ask(method, path, json=body).status_code in (403, 404), path


def test_an_admin_gets_into_no_server(hub: Hub) -> None:
    with pytest.raises(AssertionError, match="You do not have permission to access"):
        hub.browser("teacher").visit("anna")
    assert hub.browser("anna").visit("anna")  # so the way itself is right


def test_an_admin_reads_and_writes_nobodys_login(ask: Ask, hub: Hub) -> None:
    before = encrypted(hub)
    assert before
    for body in ({"auth_state": {"access_token": "x"}}, {"admin": False, "auth_state": {}}):
        refused = ask("PATCH", "/users/anna", json=body)
        assert (refused.status_code, SECRET in refused.text) == (400, False)
    for answer in (
        ask("GET", "/users/anna"),
        ask("GET", "/users"),
        ask("PATCH", "/users/anna", json={"admin": False}),
        ask("GET", "/users/teacher"),
    ):
        assert answer.ok
        assert SECRET not in answer.text
        assert "auth_state" not in answer.text
        assert '"state"' not in answer.text  # of servers: where they are
    assert encrypted(hub) == before


def encrypted(hub: Hub) -> bytes:
    db = orm.new_session_factory(hub.database)()
    try:
        return bytes(orm.User.find(db, "anna").encrypted_auth_state)
    finally:
        db.close()


def test_nobody_is_renamed(ask: Ask, hub: Hub) -> None:
    refused = ask("PATCH", "/users/anna", json={"name": "zoe", "admin": False})
    assert refused.status_code == 400
    assert "can't be renamed: home, password and server would stay behind" in refused.text
    assert ask("GET", "/users/zoe").status_code == 404
    assert ask("GET", "/users/anna").json()["admin"] is False
    by_service = hub.ask("PATCH", "/users/anna", TOKEN, json={"name": "zoe"})
    assert by_service.status_code == 400


def test_what_the_admin_page_is_for_goes_on(ask: Ask, hub: Hub) -> None:
    assert ask("POST", "/users", json={"usernames": ["carla"]}).status_code == 201
    # The page sends the name along: JupyterHub would take that for none, and the name away.
    assert ask("PATCH", "/users/carla", json={"name": "carla", "admin": False}).ok
    assert ask("GET", "/users/carla").json()["name"] == "carla"
    assert ask("POST", "/users/carla/server").status_code in (201, 202)
    hub.wait_for(lambda: "carla" in hub.running())
    assert ask("DELETE", "/users/carla/server").status_code in (202, 204)
    hub.wait_for(lambda: "carla" not in hub.servers())
    assert ask("POST", "/groups/muons").status_code == 201
    assert ask("POST", "/groups/muons/users", json={"users": ["carla"]}).ok
    assert ask("DELETE", "/groups/muons").status_code == 204
    assert ask("DELETE", "/users/carla").status_code == 204


def test_one_who_is_no_admin_makes_none(hub: Hub) -> None:
    anna = hub.browser("anna")
    for who in ("anna", "ben"):
        assert anna.ask("PATCH", f"/users/{who}", json={"admin": True}).status_code in (403, 404)
    assert hub.ask("PATCH", "/users/anna", json={"admin": True}).status_code in (
        400,
        403,
    )  # a service
    assert hub.ask("GET", "/users/anna").json()["admin"] is False
