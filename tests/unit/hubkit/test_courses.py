"""People of a course (LTI 1.3) on a real hub: which course, who it is, and whether they teach."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from hubkit.login import leaving

from tests.servers.course import CLIENT, CONTEXT, DEPLOYMENT, LEARNER, TEACHER, Course, course
from tests.unit.hubkit.hubs import free_port, wait_for
from tests.unit.hubkit.real_hub import PeoplesHub

OTHER = "58"
SLOW = 4.0  # seconds
CLAIM = "https://purl.imsglobal.org/spec/lti/claim"


@pytest.fixture(scope="module")
def platform() -> Iterator[Course]:
    with course(free_port()) as made:
        yield made


def send(
    hub: PeoplesHub, platform: Course, person: str, role: str = LEARNER, **changes: Any
) -> requests.Response:
    """Somebody comes, and looks at the hub's own page."""
    return platform.send(hub.url, person, role, "/hub/home", **changes)


def login(platform: Course, **changes: Any) -> dict[str, Any]:
    lti13 = {
        "issuer": platform.url,
        "authorize_url": f"{platform.url}/auth",
        "jwks_url": f"{platform.url}/keys",
        "client_id": CLIENT,
        "deployments": [DEPLOYMENT],
        "contexts": [CONTEXT],
        "every_course": False,
        "username_claim": "email",
        "teachers_are_admins": True,
    }
    return {"kind": "lti13", "users": [], "admins": ["boss@x.it"], "lti13": lti13 | changes}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> PeoplesHub:
    return PeoplesHub(tmp_path_factory.mktemp("course"))


@dataclass
class Before:
    """Who came before the hub was started anew with one course less, and a look at that start."""

    teacher: requests.Session
    from_the_other_course: requests.Session
    waited: float = 0.0  # seconds for an answer while the platform's keys were under way


@pytest.fixture(scope="module", autouse=True)
def before(hub: PeoplesHub, platform: Course) -> Iterator[Before]:
    with hub.started(login(platform, contexts=[CONTEXT, OTHER])):
        came = [
            send(hub, platform, "prof@x.it", TEACHER),
            send(hub, platform, "gert@x.it", **{f"{CLAIM}/context": {"id": OTHER}}),
        ]
        assert all(page.ok for page in came)
    found = Before(*(page.browser for page in came))  # type: ignore[attr-defined]
    with hub.started(login(platform)):
        platform.keys_fetched, platform.keys_delay = 0, SLOW
        someone = threading.Thread(target=send, args=(hub, platform, "anna@x.it"))
        someone.start()
        wait_for(lambda: platform.keys_fetched == 1)
        begun = time.monotonic()
        assert hub.ask("GET", "/").ok
        found.waited = time.monotonic() - begun
        someone.join()
        platform.keys_delay = 0.0
        yield found


def sees_admin(hub: PeoplesHub, browser: requests.Session) -> bool:
    return browser.get(f"{hub.url}/hub/admin").status_code == 200


def test_a_teacher_is_one_until_the_course_says_otherwise(
    hub: PeoplesHub, platform: Course, before: Before
) -> None:
    teacher = before.teacher
    assert sees_admin(hub, teacher)  # after the hub's start, too
    again = send(hub, platform, "prof@x.it").browser  # type: ignore[attr-defined]
    assert not sees_admin(hub, again)
    assert not sees_admin(hub, teacher)
    assert not hub.ask("GET", "/users/prof@x.it").json()["admin"]


def test_only_the_stacks_course_sends_people(hub: PeoplesHub, platform: Course) -> None:
    assert send(hub, platform, "anna@x.it").ok
    for key, claim in (
        ("contexts", {f"{CLAIM}/context": {"id": OTHER}}),
        ("contexts", {f"{CLAIM}/context": None}),
        ("deployments", {f"{CLAIM}/deployment_id": OTHER}),
    ):
        page = send(hub, platform, "anna@x.it", **claim)
        assert page.status_code == 403
        expected = f"`{OTHER}` has to be among" if OTHER in str(claim) else "told none for"
        assert f"{expected} jupyterhub:hub.login.lti13.{key}" in page.text


def test_a_name_stays_the_account_s_that_came_first(hub: PeoplesHub, platform: Course) -> None:
    assert send(hub, platform, "ben@x.it").ok
    page = send(hub, platform, "ben@x.it", sub="another account")
    assert page.status_code == 403
    assert "make roster RESET=ben@x.it" in page.text
    assert "the next account" in hub.command("free", "ben@x.it")
    assert send(hub, platform, "ben@x.it", sub="another account").ok


def test_who_is_told_without_an_address_hears_it(hub: PeoplesHub, platform: Course) -> None:
    page = send(hub, platform, "carla@x.it", email=None, sub="57")
    assert page.status_code == 403
    assert "told no email" in page.text and "login.lti13.username_claim" in page.text
    assert hub.ask("GET", "/users/57").status_code == 404


def test_a_reset_ends_a_session(hub: PeoplesHub, platform: Course) -> None:
    browser = send(hub, platform, "dan@x.it").browser  # type: ignore[attr-defined]
    home = f"{hub.url}/hub/home"
    assert browser.get(home, allow_redirects=False).ok
    leaving.ask("dan@x.it", hub.state)
    wait_for(lambda: browser.get(home, allow_redirects=False).status_code == 302, seconds=15)


def test_keys_that_come_slowly_hold_up_nobody_else(before: Before) -> None:
    assert before.waited < SLOW / 2


def test_keys_are_kept(hub: PeoplesHub, platform: Course) -> None:
    for _ in range(2):
        assert send(hub, platform, "anna@x.it").ok
    assert platform.keys_fetched == 1


def test_a_course_that_is_taken_out_is_out(hub: PeoplesHub, before: Before) -> None:
    browser = before.from_the_other_course
    assert browser.get(f"{hub.url}/hub/home", allow_redirects=False).status_code == 302
