"""A group on its common server: two browsers in one notebook, and nobody else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.checkout import Checkout, running
from tests.client import User, eventually, logged_in
from tests.local.conftest import NOTEBOOK, chrome
from tests.local.test_roster import passwords

ACCOUNT, HOME = "_muons", "-5fmuons"  # whose server it is, and what its container is called
OUT_WITHIN = 20  # seconds from the teacher's click until a member who is removed is out
SEEN_WITHIN = 10  # seconds until one reads what the other types
NOTEBOOK_FILE = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "one",
            "metadata": {},
            "outputs": [],
            "source": "",
        }
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    config = {
        "hub": {
            "login": {"kind": "roster", "users": ["anna", "ben", "carla", "dan"]},
            "images": [{"title": "Python", "source": NOTEBOOK, "memory_limit": "1GiB"}],
            "files": {"groups": {"muons": {"members": ["anna", "ben", "dan"], "together": True}}},
            "shared_origin": True,
        },
    }
    with running(tmp_path_factory.mktemp("together"), "ttogether", 17, config) as checkout:
        yield checkout


class Member(User):
    """Somebody at the group's server."""

    @property
    def base(self) -> str:
        return f"/user/{ACCOUNT}/"

    def open(self) -> None:
        """Clicks the entry of the menu, and waits."""
        entry = f"{self.url}/hub/together/muons"
        assert self.session.get(entry).status_code == 200
        eventually(f"{self.name} is in the group's server", self.is_open, 120)

    def token(self) -> str:
        """A token that the user makes for a program of their own."""
        headers = {"X-XSRFToken": self._xsrf("/hub/"), "Referer": f"{self.url}/hub/token"}
        api = f"{self.url}/hub/api/users/{self.name}/tokens"
        return str(self.session.post(api, json={}, headers=headers).json()["token"])


def member(hub: Checkout, name: str) -> Member:
    user = Member(hub.url, name)
    assert user.login(passwords(hub)[name]).status_code == 302
    return user


def socket(hub: Checkout, **how: Any) -> websocket.WebSocket:
    """Asks for the group's stream of events."""
    url = f"{hub.url}/user/{ACCOUNT}/api/events/subscribe".replace("http", "ws", 1)
    made = websocket.create_connection(url, timeout=10, redirect_limit=0, **how)
    if made.getstatus() != 101:  # a redirect to the hub's pages counts as a connection there
        raise websocket.WebSocketException(f"answered with {made.getstatus()}")
    return made


@pytest.fixture
def browsers(hub: Checkout, tmp_path: Path) -> Iterator[dict[str, webdriver.Chrome]]:
    """Anna's and Ben's, each in the group's notebook."""
    with ExitStack() as stack:
        found = {name: stack.enter_context(chrome(tmp_path / name)) for name in ("anna", "ben")}
        for name, browser in found.items():
            browser.get(f"{hub.url}/hub/login?next=/hub/home")
            browser.find_element(By.ID, "username_input").send_keys(name)
            browser.find_element(By.ID, "password_input").send_keys(passwords(hub)[name])
            browser.find_element(By.ID, "login_submit").click()
            see(browser, "a[href$='/together/muons']").click()
            see(browser, ".jp-DirListing-itemText")
            browser.get(f"{hub.url}/user/{ACCOUNT}/lab/tree/plan.ipynb")
            see(browser, ".jp-Notebook .jp-Cell .cm-content")
        yield found


def see(browser: webdriver.Chrome, selector: str, within: float = 120) -> Any:
    wait = WebDriverWait(browser, within)
    return wait.until(lambda b: b.find_element(By.CSS_SELECTOR, selector))


def typed(browser: webdriver.Chrome, text: str) -> None:
    cell = see(browser, ".jp-Notebook .jp-Cell .cm-content")
    cell.click()
    cell.send_keys(text)


def reads(browser: webdriver.Chrome, text: str) -> float:
    """Seconds until the text is there."""
    begun = time.monotonic()
    WebDriverWait(browser, SEEN_WITHIN, 0.1).until(
        lambda b: text in b.find_element(By.CSS_SELECTOR, ".jp-Notebook .cm-content").text
    )
    return time.monotonic() - begun


def test_only_members_come_in(hub: Checkout) -> None:
    anna, carla = member(hub, "anna"), member(hub, "carla")
    assert "Work together: muons" in anna.session.get(f"{hub.url}/hub/home").text
    anna.open()
    assert anna.get("api/me").json()["identity"]["name"] == "anna"
    assert "Work together" not in carla.session.get(f"{hub.url}/hub/home").text
    for other in (carla, member(hub, "teacher")):  # an admin is no member either
        for path in ("hub/together/muons", f"hub/spawn/{ACCOUNT}", f"user/{ACCOUNT}/lab"):
            assert other.session.get(f"{hub.url}/{path}").status_code in (403, 404), path
        assert other.get("api/contents").status_code == 403
        own = {"Authorization": f"token {other.token()}"}
        assert requests.get(other.at("api/contents"), headers=own, timeout=10).status_code == 403
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            socket(hub, header=own)
    anna_own = {"Authorization": f"token {anna.token()}"}
    socket(hub, header=anna_own).close()  # so the way itself is right


def test_nobody_can_be_the_account(hub: Checkout) -> None:
    teacher = member(hub, "teacher")
    printed = hub.make("roster", f"ADD={ACCOUNT}", check=False)
    assert "starting with a letter or digit" in printed
    page, headers = f"{hub.url}/hub/class", {"Referer": f"{hub.url}/hub/admin"}
    teacher.session.get(page)
    form = {"action": "add", "name": ACCOUNT, "_xsrf": teacher._xsrf("/hub/")}
    assert teacher.session.post(page, data=form).status_code == 403
    headers["X-XSRFToken"] = teacher._xsrf("/hub/")
    api = f"{hub.url}/hub/api/users"
    assert teacher.session.post(f"{api}/_pions", headers=headers).status_code == 400
    renamed = teacher.session.patch(f"{api}/carla", json={"name": "_pions"}, headers=headers)
    assert renamed.status_code in (400, 404)
    for name in (ACCOUNT, "_MUONS", "%5Fmuons", " _muons"):
        assert User(hub.url, name).login(passwords(hub)["anna"]).status_code != 302
    assert ACCOUNT not in passwords(hub)
    assert ACCOUNT not in teacher.session.get(f"{hub.url}/hub/class/sheet").text


def test_two_browsers_edit_one_notebook_and_a_member_removed_is_out(
    hub: Checkout, artefacts: Path, request: pytest.FixtureRequest
) -> None:
    own = logged_in(hub.url, "anna", passwords(hub)["anna"])
    own.start()
    own.run(f"open('group-muons/plan.ipynb', 'w').write({json.dumps(NOTEBOOK_FILE)!r})")
    assert own.get("api/collaboration/session/x").status_code == 404  # it is nobody else's
    browsers = request.getfixturevalue("browsers")
    anna, ben = browsers["anna"], browsers["ben"]

    typed(anna, "# from anna")
    seconds = [reads(ben, "# from anna")]
    typed(ben, " and from ben")
    seconds.append(reads(anna, "and from ben"))
    print(f"seen by the other after {seconds[0]:.1f} s and {seconds[1]:.1f} s")
    see(anna, "li[data-id='jp-collaboration-panel']").click()
    panel = see(anna, "#jp-collaboration-panel")
    WebDriverWait(anna, SEEN_WITHIN).until(lambda _: "ben" in panel.text)
    anna.save_screenshot(str(artefacts / "together.png"))

    look = "print(open('group-muons/plan.ipynb').read())"
    eventually("anna's own server has it", lambda: "and from ben" in own.run(look), 20)

    cookie = "; ".join(f"{c['name']}={c['value']}" for c in ben.get_cookies())
    held = socket(hub, cookie=cookie)
    key = {"Authorization": f"token {member(hub, 'ben').token()}"}
    assert requests.get(f"{hub.url}/user/{ACCOUNT}/api/me", headers=key, timeout=10).ok
    typed(anna, "\nlast words")
    teacher = member(hub, "teacher")
    page = f"{hub.url}/hub/class"
    teacher.session.get(page)
    form = {"action": "remove", "name": "ben", "_xsrf": teacher._xsrf("/hub/")}
    begun = time.monotonic()
    assert teacher.session.post(page, data=form).status_code == 200
    ended(held, OUT_WITHIN)
    print(f"out after {time.monotonic() - begun:.1f} s")
    me = f"{hub.url}/user/{ACCOUNT}/api/me"

    def opens() -> bool:
        answer = requests.get(me, headers=key, timeout=10, allow_redirects=False)
        return answer.status_code == 200

    eventually("the token opens nothing", lambda: not opens(), 5)
    with pytest.raises(websocket.WebSocketException):
        socket(hub, cookie=cookie)
    ben.get(f"{hub.url}/user/{ACCOUNT}/lab")
    assert ben.current_url.startswith(f"{hub.url}/hub/")  # its login, or its page that says no
    assert not ben.find_elements(By.CSS_SELECTOR, ".jp-LabShell")

    assert "last words" in own.run(look)  # what was typed just before is in the file
    member(hub, "anna").open()  # the others start it again, and ben stays out
    assert requests.get(me, headers=key, timeout=10).status_code in (401, 403)
    with pytest.raises(websocket.WebSocketBadStatusException):
        socket(hub, cookie=cookie)


def ended(held: websocket.WebSocket, within: float) -> None:
    """Waits until the other side ends an open connection."""
    held.settimeout(within)
    while True:
        try:
            if not held.recv():
                return
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            return


def test_one_taken_out_of_the_stack_file_is_out_too(hub: Checkout) -> None:
    dan = member(hub, "dan")
    dan.open()
    cookie = "; ".join(f"{c.name}={c.value}" for c in dan.session.cookies)
    held = socket(hub, cookie=cookie)
    hub.configure(
        hub={"files": {"groups": {"muons": {"members": ["anna", "carla"], "together": True}}}}
    )
    hub.make("up")
    ended(held, OUT_WITHIN)
    assert dan.session.get(f"{hub.url}/hub/together/muons").status_code == 403
    eventually("the server is gone", lambda: not hub.has_server(HOME), OUT_WITHIN)
    carla = member(hub, "carla")  # one who was added
    carla.open()
    log = hub.container("hub").logs().decode()
    assert "Error adding user" not in log
