"""Login by OpenID Connect, with a real Keycloak."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from bs4 import BeautifulSoup
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.checkout import ENGINE, Checkout, running
from tests.client import User, eventually
from tests.local.conftest import NOTEBOOK
from tests.servers.keycloak import Keycloak, keycloak

PORT, NUMBER = 8790, 15
SECRET = "a-client-secret-of-this-test"
HUB = f"http://127.0.0.1:{8400 + NUMBER}"
LIFESPAN = 8  # seconds of an access token

# Name: groups, email verified. All have their name as password.
PEOPLE: dict[str, tuple[list[str], bool]] = {
    "anna": (["students"], False),
    "prof": (["teachers"], False),
    "guest": ([], False),
    "member": ([], True),
    "ana.sá": (["students"], False),
}
REALM: dict[str, Any] = {
    "accessTokenLifespan": LIFESPAN,
    "groups": [{"name": "students"}, {"name": "teachers"}],
    "users": [
        {
            "username": name,
            "enabled": True,
            "firstName": name,
            "lastName": "of the class",
            "email": f"{'x' if 'á' in name else name}@unipd.it",
            "emailVerified": verified,
            "groups": groups,
            "credentials": [{"type": "password", "value": name}],
        }
        for name, (groups, verified) in PEOPLE.items()
    ],
    "clients": [
        {
            "clientId": "hub",
            "secret": SECRET,
            "redirectUris": [f"{HUB}/hub/oauth_callback"],
            "protocolMappers": [
                {
                    "name": "groups",
                    "protocol": "openid-connect",
                    "protocolMapper": "oidc-group-membership-mapper",
                    "config": {
                        "claim.name": "groups",
                        "full.path": "false",
                        "userinfo.token.claim": "true",
                    },
                }
            ],
        }
    ],
}


IMAGES = [
    {"title": "Python", "source": NOTEBOOK},
    {"title": "Statistics", "source": NOTEBOOK, "size": "Large"},
    {"title": "Bare", "source": {"reference": "debian:bookworm-slim"}},
]
SIZES = [
    {"title": "Small", "memory_limit": "512MiB", "cpu_limit": 0.5, "processes": 256},
    {"title": "Large", "memory_limit": "1GiB", "swap": "256MiB", "shared_memory": "64MiB"},
    {"title": "With a GPU", "gpus": 1},
]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    with keycloak(PORT, tmp_path_factory.mktemp("keycloak") / "log", REALM) as server:
        yield server


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, provider: Keycloak) -> Iterator[Checkout]:
    oidc = {
        "provider": "keycloak",
        "issuer": provider.issuer,
        "client_id": "hub",
        "groups": ["students"],
        "domains": ["unipd.it"],
        "admin_groups": ["teachers"],
    }
    config = {
        "hub": {
            "admins": [],
            "login": {"kind": "oidc", "oidc": oidc},
            "images": IMAGES,
            "sizes": SIZES,
            "named_servers": 1,
            "files": {"groups": {"students": {}, "muons": {"provider_groups": ["students"]}}},
        },
        "secrets": {"oidc_client_secret": SECRET},
    }
    with running(tmp_path_factory.mktemp("oidc"), "toidc", NUMBER, config) as checkout:
        yield checkout


def log_in(hub: Checkout, name: str) -> tuple[User, requests.Response]:
    """What a browser does: from the hub to Keycloak's form, and back."""
    user = User(hub.url, name)
    page = user.session.get(f"{hub.url}/hub/oauth_login")
    form = BeautifulSoup(page.text, "html.parser").find("form", id="kc-form-login")
    assert form, page.text[-2000:]
    for cookie in user.session.cookies:
        cookie.secure = False  # browsers send such cookies to 127.0.0.1 without TLS, requests not
    filled = {"username": name, "password": name}
    return user, user.session.post(str(form["action"]), data=filled)


def logged_in(hub: Checkout, name: str) -> User:
    user, page = log_in(hub, name)
    assert page.status_code == 200, page.text[-2000:]
    assert page.url.startswith(hub.url)
    return user


def is_in(user: User) -> bool:
    return "/hub/login" not in user.session.get(f"{user.url}/hub/home").url


def test_who_is_in_a_group_comes_in(hub: Checkout) -> None:
    anna = logged_in(hub, "anna")
    assert is_in(anna)
    assert anna.session.get(f"{hub.url}/hub/admin").status_code == 403


def test_a_groups_members_are_admins(hub: Checkout) -> None:
    assert logged_in(hub, "prof").session.get(f"{hub.url}/hub/admin").status_code == 200


def test_who_is_in_no_group_stays_out(hub: Checkout) -> None:
    page = log_in(hub, "guest")[1]
    assert page.status_code == 403
    assert "Keycloak knows you, but nobody let you into this hub" in page.text


def test_a_verified_address_of_a_domain_comes_in(hub: Checkout) -> None:
    assert is_in(logged_in(hub, "member"))


def test_a_name_that_is_not_safe_gets_another(hub: Checkout) -> None:
    user = logged_in(hub, "ana.sá")
    page = user.session.get(f"{hub.url}/hub/home").text
    assert "ana.s---" in page or "ana.s--" in page
    assert "ana.sá" not in page


def test_a_server_gets_its_users_token_and_a_new_one_in_time(
    hub: Checkout, provider: Keycloak
) -> None:
    anna = logged_in(hub, "anna")
    anna.start("Python")
    ask = f"""
import json, os, time, urllib.request
def token():
    request = urllib.request.Request(
        os.environ["JUPYTERHUB_API_URL"] + "/login-token",
        headers={{"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}})
    return json.load(urllib.request.urlopen(request))
first = token()
time.sleep({LIFESPAN + 1})
print(json.dumps([first, token()]))
"""
    first, second = json.loads(anna.run(ask))
    assert set(first) == {"access_token"}  # never the one that makes new ones
    assert first != second
    told = requests.get(
        f"{provider.issuer}/protocol/openid-connect/userinfo",
        headers={"Authorization": f"Bearer {second['access_token']}"},
        timeout=10,
    )
    assert told.json()["preferred_username"] == "anna"
    # A browser's session, whose pages may be somebody else's, gets none.
    assert anna.session.get(f"{hub.url}/hub/api/login-token").status_code == 403
    environment = json.dumps(hub.server("anna").attrs["Config"]["Env"])
    assert first["access_token"] not in environment
    assert SECRET not in environment
    # A provider's group of a folder's name opens nothing: the stack file says which one does.
    folders = "import os; print([name for name in os.listdir() if name.startswith('group-')])"
    assert anna.run(folders) == "['group-muons']"
    anna.stop()


def test_who_leaves_the_group_is_out_within_a_minute(hub: Checkout, provider: Keycloak) -> None:
    anna = logged_in(hub, "anna")
    person = provider.user("anna")["id"]
    (group,) = provider.admin("GET", "/groups?search=students")
    provider.admin("DELETE", f"/users/{person}/groups/{group['id']}")
    try:
        eventually("anna is out", lambda: not is_in(anna), 75)
        assert log_in(hub, "anna")[1].status_code == 403
    finally:
        provider.admin("PUT", f"/users/{person}/groups/{group['id']}", {})


def test_a_name_given_to_another_account_is_not_let_in(hub: Checkout, provider: Keycloak) -> None:
    before = logged_in(hub, "anna")
    provider.admin("DELETE", f"/users/{provider.user('anna')['id']}")
    (again,) = [user for user in REALM["users"] if user["username"] == "anna"]
    provider.admin("POST", "/users", again)
    page = log_in(hub, "anna")[1]
    assert page.status_code == 403
    assert "belongs to another account" in page.text
    assert "make roster RESET=anna" in page.text
    hub.make("roster", "RESET=anna")
    eventually("the session of the account before ends", lambda: not is_in(before), 15)
    assert is_in(logged_in(hub, "anna"))


def test_a_wrong_redirect_url_is_told_with_the_right_one(hub: Checkout, provider: Keycloak) -> None:
    (client,) = provider.admin("GET", "/clients?clientId=hub")
    there = f"/clients/{client['id']}"
    provider.admin("PUT", there, client | {"redirectUris": ["http://elsewhere.example.org/"]})
    restart(hub)
    page = User(hub.url, "anna").session.get(f"{hub.url}/hub/oauth_login")
    assert page.status_code == 400
    assert f"{HUB}/hub/oauth_callback" in page.text
    provider.admin("PUT", there, client)
    assert is_in(logged_in(hub, "anna"))


def test_a_browser_logs_in_and_chooses_image_and_size(
    hub: Checkout, browser: webdriver.Chrome, artefacts: Path
) -> None:
    wait = WebDriverWait(browser, 60)

    def see(selector: str) -> Any:
        return wait.until(lambda b: b.find_element(By.CSS_SELECTOR, selector))

    def click(element: Any) -> None:
        browser.execute_script("arguments[0].click()", element)

    browser.get(hub.url)
    click(see("a.btn-jupyter[href*=oauth_login]"))
    see("#username").send_keys("anna")
    browser.save_screenshot(str(artefacts / "keycloak.png"))
    see("#password").send_keys("anna", Keys.ENTER)
    see("input[value=Statistics]")
    large, small = see("input[value=Large]"), see("input[value=Small]")
    assert small.is_selected()
    click(see("input[value=Statistics]"))
    assert large.is_selected()  # its own size is proposed
    browser.save_screenshot(str(artefacts / "choice.png"))
    click(see("input[type=submit], button[type=submit]"))
    wait.until(lambda b: "/user/anna/lab" in b.current_url)
    made = hub.server("anna").attrs["HostConfig"]
    assert made["Memory"] == 1024**3
    assert made["MemorySwap"] == 1024**3 + 256 * 1024**2
    assert made["ShmSize"] == 64 * 1024**2
    logged_in(hub, "anna").stop()


def test_a_second_server_beside_the_first(hub: Checkout) -> None:
    member = logged_in(hub, "member")
    member.start("Python")
    headers = {"X-XSRFToken": member._xsrf("/hub/"), "Referer": f"{hub.url}/hub/home"}
    servers = f"{hub.url}/hub/api/users/member/servers"

    def ask(name: str, **options: str) -> requests.Response:
        return member.session.post(f"{servers}/{name}", json=options, headers=headers)

    assert ask("second", image="Python", size="Small").status_code in (201, 202)
    second = f"{hub.deployment}-user-member--second"
    eventually("a second server", lambda: second in {c.name for c in hub.containers("user")})
    assert ENGINE.containers.get(second).attrs["HostConfig"]["PidsLimit"] == 256
    assert ask("third", image="Python").status_code == 400  # one more is allowed
    eventually(
        "it is gone",
        lambda: member.session.delete(f"{servers}/second", headers=headers).status_code == 204,
    )
    member.stop()


def test_a_size_that_the_host_cannot_have_is_told(hub: Checkout) -> None:
    member = logged_in(hub, "member")
    member.session.get(f"{hub.url}/hub/spawn")
    form = {"image": "Python", "size": "With a GPU", "_xsrf": member._xsrf("/hub/")}
    page = member.session.post(f"{hub.url}/hub/spawn", data=form).text
    assert "This size needs 1 GPU, and this machine has no GPU" in page
    form = {"image": "Python", "size": "Huge", "_xsrf": member._xsrf("/hub/")}
    page = member.session.post(f"{hub.url}/hub/spawn", data=form).text
    assert "There is no size &#39;Huge&#39; here. Choose one of: Small, Large" in page


def test_an_image_that_is_no_notebooks_is_told(hub: Checkout) -> None:
    member = logged_in(hub, "member")
    member.session.get(f"{hub.url}/hub/spawn")
    form = {"image": "Bare", "_xsrf": member._xsrf("/hub/")}
    member.session.post(f"{hub.url}/hub/spawn", data=form)

    def is_told() -> bool:
        page = member.session.get(f"{hub.url}/hub/spawn-pending/member").text
        return "has no program jupyterhub-singleuser" in page

    eventually("the reason", is_told, 30)


def restart(hub: Checkout) -> None:
    hub.container("hub").restart()

    def answers() -> bool:
        return requests.get(f"{hub.url}/hub/api/", timeout=5).status_code == 200

    eventually("the hub", answers)


def test_a_provider_that_is_away(hub: Checkout, provider: Keycloak) -> None:
    """The hub starts, says so, keeps who is in, and recovers by itself."""
    prof = logged_in(hub, "prof")
    provider.stop()
    hub.container("hub").exec_run(["rm", "/srv/state/oidc-discovery.json"])
    restart(hub)
    assert is_in(prof)
    page = User(hub.url, "anna").session.get(f"{hub.url}/hub/oauth_login")
    assert page.status_code == 503
    assert "Keycloak can&#39;t be reached just now" in page.text
    assert "can't be reached" in hub.container("hub").logs(tail=100).decode()
    provider.start(REALM)
    page = User(hub.url, "anna").session.get(f"{hub.url}/hub/oauth_login")
    assert page.url.startswith(provider.issuer)


def test_no_secret_in_the_hubs_log(hub: Checkout) -> None:
    log = hub.container("hub").logs().decode()
    assert SECRET not in log
    assert "eyJhbG" not in log  # how every token begins
    assert not re.search(r"[?&]code=(?!\[secret\])", log)


def test_everybody_with_an_account_there(hub: Checkout, provider: Keycloak) -> None:
    """Whoever: but still nobody by the name of somebody else."""
    oidc = hub.section("hub")["login"]["oidc"] | {"everyone": True}
    hub.configure(hub={"login": {"kind": "oidc", "oidc": oidc}})
    hub.make("up")
    assert is_in(logged_in(hub, "guest"))
    provider.admin("DELETE", f"/users/{provider.user('guest')['id']}")
    (again,) = [user for user in REALM["users"] if user["username"] == "guest"]
    provider.admin("POST", "/users", again)
    assert log_in(hub, "guest")[1].status_code == 403
