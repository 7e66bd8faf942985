"""A roster: first passwords, changes by command and in the browser, the sheet."""

from __future__ import annotations

import re
from pathlib import Path

from tests.checkout import Checkout
from tests.client import User, eventually, logged_in


def passwords(hub: Checkout) -> dict[str, str]:
    rows = re.findall(r"^(\S+) +((?:[a-z]{4}-){4}\d{4})", hub.make("roster"), re.M)
    return dict(rows)


def is_in(user: User) -> bool:
    return "/hub/login" not in user.session.get(f"{user.url}/hub/home").url


def test_the_sheet_has_everybody(roster_hub: Checkout) -> None:
    assert set(passwords(roster_hub)) == {"anna", "ben", "teacher"}
    assert len(set(passwords(roster_hub).values())) == 3


def test_one_password_is_for_one_name(roster_hub: Checkout) -> None:
    known = passwords(roster_hub)
    assert User(roster_hub.url, "anna").login(known["ben"]).status_code != 302
    assert User(roster_hub.url, "stranger").login(known["ben"]).status_code != 302


def test_a_name_is_added_reset_and_removed(roster_hub: Checkout) -> None:
    assert "carla" in roster_hub.make("roster", "ADD=carla")
    first = passwords(roster_hub)["carla"]
    carla = logged_in(roster_hub.url, "carla", first)
    carla.start()
    printed = roster_hub.make("roster", "RESET=carla")
    eventually("the session by the old password ends", lambda: not is_in(carla), 20)
    eventually("and the server", lambda: not roster_hub.has_server("carla"), 30)
    second = passwords(roster_hub)["carla"]
    assert second != first
    assert second in printed
    assert User(roster_hub.url, "carla").login(first).status_code != 302
    carla = logged_in(roster_hub.url, "carla", second)
    assert is_in(carla)
    carla.start()
    roster_hub.make("roster", "REMOVE=carla")
    eventually("the removed user's server ends", lambda: not roster_hub.has_server("carla"), 30)
    assert "carla" not in passwords(roster_hub)
    assert User(roster_hub.url, "carla").login(second).status_code != 302
    assert not is_in(carla)


def test_a_password_changed_by_its_user_stays(roster_hub: Checkout) -> None:
    known = passwords(roster_hub)
    ben = logged_in(roster_hub.url, "ben", known["ben"])
    page = ben.session.get(f"{roster_hub.url}/hub/change-password")
    assert page.status_code == 200
    form = {
        "old_password": known["ben"],
        "new_password": "my own words",
        "new_password_confirmation": "my own words",
        "_xsrf": ben._xsrf("/hub/"),
    }
    ben.session.post(f"{roster_hub.url}/hub/change-password", data=form)
    roster_hub.container("hub").restart()
    eventually(
        "the hub", lambda: User(roster_hub.url, "ben").login("my own words").status_code == 302
    )
    assert "(changed by the user)" in roster_hub.make("roster")
    roster_hub.make("roster", "RESET=ben")
    logged_in(roster_hub.url, "ben", passwords(roster_hub)["ben"])


def test_unknown_names_are_an_error(roster_hub: Checkout) -> None:
    printed = roster_hub.make("roster", "RESET=nobody", check=False)
    assert "nobody is not on the roster" in printed


def test_no_first_password_in_any_log(roster_hub: Checkout) -> None:
    for container in roster_hub.containers():
        log = container.logs().decode()
        for name, password in passwords(roster_hub).items():
            assert password not in log, f"{name}'s password in the log of {container.name}"


def as_teacher(hub: Checkout) -> User:
    return logged_in(hub.url, "teacher", passwords(hub)["teacher"])


def test_the_teacher_changes_the_class_in_the_browser(roster_hub: Checkout) -> None:
    teacher = as_teacher(roster_hub)
    page = f"{roster_hub.url}/hub/class"

    def send(action: str, name: str) -> str:
        teacher.session.get(page)
        form = {"action": action, "name": name, "_xsrf": teacher._xsrf("/hub/")}
        return teacher.session.post(page, data=form).text

    shown = send("add", "dora, emil")
    first = passwords(roster_hub)
    assert first["dora"] in shown
    logged_in(roster_hub.url, "dora", first["dora"])
    send("reset", "dora")
    assert User(roster_hub.url, "dora").login(first["dora"]).status_code != 302
    logged_in(roster_hub.url, "dora", passwords(roster_hub)["dora"])
    roster_hub.container("hub").restart()  # what the page changed outlives the hub
    eventually("the hub", lambda: teacher.session.get(page).status_code == 200)
    assert {"dora", "emil"} <= set(passwords(roster_hub))
    send("remove", "dora")
    send("remove", "emil")
    send("remove", "teacher")
    assert {"dora", "emil"}.isdisjoint(passwords(roster_hub))
    assert "teacher" in passwords(roster_hub)


def test_a_name_added_in_jupyterhubs_own_admin_page_is_on_the_roster(roster_hub: Checkout) -> None:
    teacher = as_teacher(roster_hub)
    headers = {"X-XSRFToken": teacher._xsrf("/hub/"), "Referer": f"{roster_hub.url}/hub/admin"}
    api = f"{roster_hub.url}/hub/api/users/fiona"
    assert teacher.session.post(api, headers=headers).status_code == 201
    logged_in(roster_hub.url, "fiona", passwords(roster_hub)["fiona"])
    assert teacher.session.delete(api, headers=headers).status_code == 204
    assert "fiona" not in passwords(roster_hub)


def test_the_sheet_is_printed(roster_hub: Checkout, tmp_path: Path) -> None:
    file = tmp_path / "class.html"
    roster_hub.make("roster", f"SHEET={file}")
    teacher = as_teacher(roster_hub)
    for text in (file.read_text(), teacher.session.get(f"{roster_hub.url}/hub/class/sheet").text):
        assert passwords(roster_hub)["anna"] in text
        assert roster_hub.url in text
