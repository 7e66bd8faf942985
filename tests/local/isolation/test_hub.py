"""The hub and its proxy give nobody what is somebody else's."""

from __future__ import annotations

import pytest
import requests
import websocket

from tests.checkout import Checkout
from tests.client import User
from tests.local.isolation import probes
from tests.local.isolation.probes import ask


@pytest.fixture(scope="module")
def token(ben: User) -> dict[str, str]:
    """What ben finds in his server's environment, as a header."""
    return {"Authorization": f"token {ask(ben, probes.environment)['JUPYTERHUB_API_TOKEN']}"}


def test_a_session_opens_ones_own_server_only(anna: User, ben: User) -> None:
    assert ben.get("api/contents").status_code == 200
    for path in ("lab", "api/contents", "api/kernels", "files/private"):
        assert ben.session.get(anna.at(path)).status_code == 403
    made_up = {"Authorization": "token x"}
    assert ben.session.get(anna.at("api/contents"), headers=made_up).status_code == 403


def test_cookies_moved_to_anothers_path_open_nothing(anna: User, ben: User) -> None:
    """All cookies of one's own, sent where a browser wouldn't, under the names expected there."""
    own = {c.name.replace("ben", "anna"): c.value or "" for c in ben.session.cookies}
    answer = requests.get(anna.at("api/contents"), cookies=own, verify=False, timeout=10)
    assert answer.status_code == 403


def test_a_token_opens_ones_own_server_only(anna: User, ben: User, token: dict[str, str]) -> None:
    mine = requests.get(ben.at("api/contents"), headers=token, verify=False, timeout=10)
    assert mine.status_code == 200
    hers = requests.get(anna.at("api/contents"), headers=token, verify=False, timeout=10)
    assert hers.status_code == 403


def test_the_hubs_api_tells_a_server_of_its_user_only(
    anna: User, ben: User, token: dict[str, str]
) -> None:
    """Every question and order that could be about others, by the one token a notebook finds."""
    api = f"{ben.url}/hub/api"

    def ask_hub(method: str, path: str) -> requests.Response:
        return requests.request(
            method, api + path, headers=token, json={}, verify=False, timeout=10
        )

    assert ask_hub("GET", "/user").json()["name"] == "ben"
    for path in ("/users", "/groups", "/services", "/proxy", "/info"):
        found = ask_hub("GET", path)
        assert found.status_code == 403 or "anna" not in found.text, path
    refused = (403, 404)
    assert ask_hub("GET", "/users/anna").status_code in refused
    assert ask_hub("GET", "/users/anna/tokens").status_code in refused
    assert ask_hub("POST", "/users/anna/tokens").status_code in refused
    assert ask_hub("POST", "/users/anna/activity").status_code in refused
    assert ask_hub("DELETE", "/users/anna/server").status_code in refused
    assert ask_hub("POST", "/users/mallory").status_code in refused
    assert ask_hub("PATCH", "/users/ben").status_code in refused  # to be an admin
    assert ask_hub("POST", "/shutdown").status_code in refused
    assert ask_hub("POST", "/proxy").status_code in refused


def test_a_page_of_elsewhere_gets_no_kernel(ben: User) -> None:
    """A browser sends cookies with any page's websocket: the server looks who asks."""
    cookie = "; ".join(f"{c.name}={c.value}" for c in ben.session.cookies)
    with ben.kernel() as kernel:
        at = ben.at(f"{kernel.path}/channels").replace("http", "ws", 1)
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(
                at, cookie=cookie, origin="https://elsewhere.test", sslopt={"cert_reqs": 0}
            )


def test_a_form_of_elsewhere_changes_nothing(ben: User) -> None:
    assert ben.session.post(ben.at("api/kernels"), json={}).status_code == 403
    api = f"{ben.url}/hub/api/users/ben/server"
    assert ben.session.delete(api, headers={"Origin": "https://elsewhere.test"}).status_code == 403


def test_no_secret_in_any_log(hub: Checkout, token: dict[str, str], known: dict[str, str]) -> None:
    secrets = hub.secrets() | {"a server's token": token["Authorization"].split()[1]}
    secrets |= {f"the password of {name}": password for name, password in known.items()}
    for container in hub.containers():
        log = container.logs().decode()
        for name, secret in secrets.items():
            assert secret not in log, f"{name} in the log of {container.name}"
