"""Signing up, coming from a course, guessing passwords, and the class page: one hub in turns."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests
from bs4 import BeautifulSoup
from hubkit import names

from tests.checkout import Checkout, running
from tests.client import User, eventually, logged_in
from tests.servers.course import CLIENT, CONTEXT, DEPLOYMENT, TEACHER, Course, course

ODD = "o`brien"  # a rule of the proxy has names between backticks
SIGNUP = {"kind": "signup"}
ADMINS = """
from jupyterhub import orm
db = orm.new_session_factory("sqlite:////srv/state/jupyterhub.sqlite")()
named = {user.name for role in db.query(orm.Role).filter_by(name="admin") for user in role.users}
print(sorted(named | {user.name for user in db.query(orm.User).filter_by(admin=True)}))
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    config = {"hub": {"login": SIGNUP}}
    with running(tmp_path_factory.mktemp("logins"), "tlogins", 7, config) as checkout:
        yield checkout


@pytest.fixture(scope="module")
def teacher(hub: Checkout) -> User:
    (password,) = re.findall(r"^teacher +(\S+)", hub.make("roster"), re.M)
    return logged_in(hub.url, "teacher", password)


def sign_up(hub: Checkout, name: str, password: str) -> requests.Response:
    user = User(hub.url, name)
    user.session.get(f"{hub.url}/hub/signup")
    form = {
        "username": name,
        "signup_password": password,
        "signup_password_confirmation": password,
        "_xsrf": user._xsrf("/hub/"),
    }
    return user.session.post(f"{hub.url}/hub/signup", data=form)


def on_the_class_page(teacher: User, action: str, name: str) -> requests.Response:
    teacher.session.get(f"{teacher.url}/hub/class")
    form = {"action": action, "name": name, "_xsrf": teacher._xsrf("/hub/")}
    return teacher.session.post(f"{teacher.url}/hub/class", data=form)


def is_in(user: User) -> bool:
    return "/hub/login" not in user.session.get(f"{user.url}/hub/home").url


def test_who_signs_up_waits_for_the_teacher(hub: Checkout, teacher: User) -> None:
    sign_up(hub, "anna", "a long password")
    refused = User(hub.url, "anna").login("a long password")
    assert "has not been authorized" in refused.text
    page = on_the_class_page(teacher, "approve", "anna")
    assert "anna" in page.text
    anna = logged_in(hub.url, "anna", "a long password")
    assert is_in(anna)
    assert anna.session.get(f"{hub.url}/hub/class").status_code == 403
    on_the_class_page(teacher, "remove", "anna")
    eventually("anna is out", lambda: not is_in(anna), 45)
    # Her name stays hers: whoever comes by it next would get her files.
    sign_up(hub, "anna", "somebody else's words")
    on_the_class_page(teacher, "discard", "anna")
    on_the_class_page(teacher, "approve", "anna")
    assert User(hub.url, "anna").login("somebody else's words").status_code != 302
    assert is_in(logged_in(hub.url, "anna", "a long password"))


def test_nobody_signs_up_as_the_teacher(hub: Checkout) -> None:
    sign_up(hub, "teacher", "a long password")
    assert User(hub.url, "teacher").login("a long password").status_code != 302


def test_a_name_that_cannot_be_is_told_so(hub: Checkout) -> None:
    answer = sign_up(hub, ODD, "a long password")
    assert answer.status_code == 403
    assert "A name is 1 to 63 small letters" in answer.text


def test_a_short_password_is_refused(hub: Checkout, teacher: User) -> None:
    sign_up(hub, "short", "short")
    assert "short" not in names_on(teacher)


def names_on(teacher: User) -> set[str]:
    page = BeautifulSoup(teacher.session.get(f"{teacher.url}/hub/class").text, "html.parser")
    return {str(row.find("td").get_text()).split()[0] for row in page.select("tbody tr")}


def test_the_class_page_takes_no_form_of_elsewhere(hub: Checkout, teacher: User) -> None:
    sign_up(hub, "eve", "a long password")
    form = {"action": "approve", "name": "eve"}  # without this hub's own _xsrf
    assert teacher.session.post(f"{hub.url}/hub/class", data=form).status_code == 403
    assert User(hub.url, "eve").login("a long password").status_code != 302


def test_guessing_gets_slow_for_one_name_only(hub: Checkout, teacher: User) -> None:
    on_the_class_page(teacher, "approve", "anna")
    sign_up(hub, "ben", "a long password")
    on_the_class_page(teacher, "approve", "ben")
    answers = [User(hub.url, "anna").login("a guess") for _ in range(8)]
    assert answers[-1].status_code == 429
    assert "Too many wrong passwords for this name. Try again in" in answers[-1].text
    assert User(hub.url, "anna").login("a long password").status_code == 429
    logged_in(hub.url, "ben", "a long password")


@pytest.fixture(scope="module")
def platform() -> Iterator[Course]:
    with course(8791) as made:
        yield made


@pytest.fixture(scope="module")
def in_course(hub: Checkout, teacher: User, platform: Course) -> Checkout:
    """The same hub, for people of a course."""
    lti13 = {
        "issuer": platform.url,
        "authorize_url": f"{platform.url}/auth",
        "jwks_url": f"{platform.url}/keys",
        "client_id": CLIENT,
        "deployments": [DEPLOYMENT],
        "contexts": [CONTEXT],
        "teachers_are_admins": True,
    }
    hub.configure(hub={"admins": [], "login": {"kind": "lti13", "lti13": lti13}})
    printed = hub.make("up")
    assert f"{hub.url}/hub/lti13/oauth_callback" in printed
    return hub


def test_who_left_admins_is_none_any_more(in_course: Checkout, teacher: User) -> None:
    page = teacher.session.get(f"{in_course.url}/hub/admin", allow_redirects=False)
    assert page.status_code in (302, 403)
    known = in_course.container("hub").exec_run(["python3", "-c", ADMINS])
    assert known.output == b"[]\n"


def test_a_course_sends_its_people(in_course: Checkout, platform: Course) -> None:
    page = platform.send(in_course.url, "Anna.Rossi@unipd.it")
    assert page.status_code == 200
    assert "anna.rossi@unipd.it" in page.text
    assert page.browser.get(f"{in_course.url}/hub/admin").status_code == 403  # type: ignore[attr-defined]


def test_a_courses_teacher_is_admin(in_course: Checkout, platform: Course) -> None:
    page = platform.send(in_course.url, "prof@unipd.it", TEACHER)
    assert page.browser.get(f"{in_course.url}/hub/admin").status_code == 200  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "changes", [{"aud": "another-hub"}, {"exp": 1}, {"nonce": "old"}, {"iss": "http://elsewhere"}]
)
def test_what_is_not_meant_for_this_hub_is_refused(
    in_course: Checkout, platform: Course, changes: dict[str, object]
) -> None:
    answer = platform.send(in_course.url, "anna@unipd.it", **changes)
    assert answer.status_code in (400, 401, 403)


def test_a_name_with_a_backtick_from_a_course_gets_another(
    in_course: Checkout, platform: Course
) -> None:
    page = platform.send(in_course.url, ODD)
    assert page.status_code == 200
    assert names.mapped(ODD) in page.text
    assert "`" not in names.mapped(ODD) and ODD not in page.text
