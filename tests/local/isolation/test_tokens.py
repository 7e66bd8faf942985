"""What opened a server opens nothing once it has ended; and admins have nobody's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from tests.checkout import Checkout
from tests.client import User, eventually
from tests.local.isolation import probes
from tests.local.isolation.conftest import log_in
from tests.local.isolation.probes import ask

Answer = Callable[..., requests.Response]


def given(user: User) -> str:
    """The token that a notebook finds in its environment."""
    return str(ask(user, probes.environment)["JUPYTERHUB_API_TOKEN"])


def opens(ben: User, token: str) -> list[int]:
    """What somebody else's token opens from inside a container: the hub's API answers by number."""
    return [ask(ben, probes.answer, path, token) for path in ("user", "users/gone")]


def restart(hub: Checkout, someone: User) -> None:
    hub.container("hub").restart()
    page = f"{someone.url}/hub/home"
    eventually("the hub", lambda: someone.session.get(page).status_code == 200, 120)


def test_a_servers_token_ends_with_it_also_when_the_hub_was_restarted(
    hub: Checkout, known: dict[str, str], ben: User
) -> None:
    """Tried from another's container, which may ask the hub."""
    gone = log_in(hub, known, "gone")
    gone.start("notebook")
    first, mine = given(gone), given(ben)
    restart(hub, ben)
    assert opens(ben, first)[0] == 200  # a server that runs goes on
    gone.stop()
    assert opens(ben, first) == [403, 403]
    gone.start("notebook")
    second = given(gone)
    hub.container("hub").stop()  # and it ends while no hub runs
    hub.server("gone").remove(force=True)
    hub.container("hub").start()
    page = f"{ben.url}/hub/home"
    eventually("the hub", lambda: ben.session.get(page).status_code == 200, 120)
    eventually("the end is known", lambda: gone._server_count() == 0, 60)
    assert opens(ben, second) == [403, 403]
    gone.start("notebook")
    for old in (first, second):
        header = {"Authorization": f"token {old}"}
        page = gone.at("api/contents")
        assert requests.get(page, headers=header, verify=False, timeout=10).status_code == 403
    gone.stop()
    assert opens(ben, mine)[0] == 200


@pytest.fixture(scope="module")
def teacher(hub: Checkout, known: dict[str, str]) -> Answer:
    """The hub's API, asked by an admin in a browser."""
    user = log_in(hub, known, "teacher")
    headers = {"X-XSRFToken": user._xsrf("/hub/"), "Referer": f"{user.url}/hub/admin"}
    return lambda method, path, **how: user.session.request(
        method, f"{user.url}/hub/api/{path}", headers=headers, **how
    )


def test_an_admin_gets_nobodys_tokens_and_changes_no_name(teacher: Answer, anna: User) -> None:
    assert teacher("GET", "users/anna").json()["name"] == "anna"  # so the way itself is right
    assert anna.is_open()
    for method, path in (
        ("GET", "users/anna/tokens"),
        ("POST", "users/anna/tokens"),
        ("POST", "share-codes/anna/"),
        ("GET", "proxy"),
        ("PATCH", "proxy"),
        ("POST", "services/page"),
        ("POST", "shutdown"),
    ):
        assert teacher(method, path, json={}).status_code in (403, 404), path
    for change in ({"auth_state": {}}, {"name": "zoe"}):
        assert teacher("PATCH", "users/anna", json=change).status_code == 400
    for path in ("users", "users/anna"):
        assert "auth_state" not in teacher("GET", path).text
    assert anna.is_open()
