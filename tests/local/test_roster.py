"""With a roster nobody can be, read, or reach anybody else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkout import ENGINE, Checkout
from tests.client import User, eventually, logged_in

# Listens on a raw port, as a VNC, an RStudio or a Dask dashboard would.
LISTEN = """
import socket, threading
server = socket.create_server(("0.0.0.0", 5901))
def serve():
    while True:
        connection, _ = server.accept()
        connection.sendall(b"secret")
        connection.close()
threading.Thread(target=serve, daemon=True).start()
print(socket.gethostbyname(socket.gethostname()))
"""
CONNECT = """
import socket
try:
    with socket.create_connection(({address!r}, {port}), timeout=3) as s:
        print("reached", s.recv(6) if {port} == 5901 else "")
except OSError as error:
    print("refused", error)
"""


def passwords(hub: Checkout) -> dict[str, str]:
    rows = re.findall(r"^(\S+) +((?:[a-z]{4}-){4}\d{4})", hub.make("roster"), re.M)
    return dict(rows)


@pytest.fixture(scope="module")
def pair(roster_hub: Checkout) -> Iterator[tuple[User, User]]:
    known = passwords(roster_hub)
    anna, ben = (logged_in(roster_hub.url, name, known[name]) for name in ("anna", "ben"))
    for user in (anna, ben):
        user.start()
    yield anna, ben
    for user in (anna, ben):
        user.stop()


def test_the_sheet_has_everybody(roster_hub: Checkout) -> None:
    assert set(passwords(roster_hub)) == {"anna", "ben", "teacher"}
    assert len(set(passwords(roster_hub).values())) == 3


def test_one_password_is_for_one_name(roster_hub: Checkout) -> None:
    known = passwords(roster_hub)
    assert User(roster_hub.url, "anna").login(known["ben"]).status_code != 302
    assert User(roster_hub.url, "stranger").login(known["ben"]).status_code != 302


def test_another_ones_server_is_closed_to_a_session(pair: tuple[User, User]) -> None:
    anna, ben = pair
    assert ben.session.get(anna.at("lab")).status_code == 403
    assert ben.session.get(anna.at("api/contents")).status_code == 403
    assert (
        ben.session.get(anna.at("api/contents"), headers={"Authorization": "token x"}).status_code
        == 403
    )


def test_another_ones_token_opens_nothing(pair: tuple[User, User]) -> None:
    anna, ben = pair
    token = ben.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")
    import requests

    headers = {"Authorization": f"token {token}"}
    assert requests.get(ben.at("api/contents"), headers=headers, timeout=10).status_code == 200
    assert requests.get(anna.at("api/contents"), headers=headers, timeout=10).status_code == 403


def test_no_port_of_another_container_can_be_reached(pair: tuple[User, User]) -> None:
    anna, ben = pair
    with anna.kernel() as listening:
        address = listening.run(LISTEN)
        here = anna.run(CONNECT.format(address=address, port=5901))
        assert here == "reached b'secret'"  # it does listen
        assert ben.run(CONNECT.format(address=address, port=5901)).startswith("refused")
        assert ben.run(CONNECT.format(address=address, port=8888)).startswith("refused")


def test_homes_are_apart_and_shared_is_shared(pair: tuple[User, User]) -> None:
    anna, ben = pair
    anna.run("open('private', 'w').write('x'); open('shared/anna/notes', 'w').write('for all')")
    assert ben.run("import os; print(os.path.exists('private'))") == "False"
    assert ben.run("print(open('shared/anna/notes').read())") == "for all"
    assert "Read-only" in ben.run("open('shared/anna/notes', 'w')")
    assert "Read-only" in ben.run("import os; os.unlink('shared/anna/notes')")
    assert "Read-only" in ben.run("open('shared/mine', 'w')")
    found = ben.run("import subprocess; print(subprocess.getoutput('grep -c homes /proc/mounts'))")
    assert int(found) <= 1  # only one's own


def test_a_name_is_added_reset_and_removed(roster_hub: Checkout) -> None:
    assert "carla" in roster_hub.make("roster", "ADD=carla")
    first = passwords(roster_hub)["carla"]
    carla = logged_in(roster_hub.url, "carla", first)
    printed = roster_hub.make("roster", "RESET=carla")
    second = passwords(roster_hub)["carla"]
    assert second != first
    assert second in printed
    assert User(roster_hub.url, "carla").login(first).status_code != 302
    carla = logged_in(roster_hub.url, "carla", second)
    assert carla.session.get(f"{roster_hub.url}/hub/home").status_code == 200
    roster_hub.make("roster", "REMOVE=carla")
    assert "carla" not in passwords(roster_hub)
    assert User(roster_hub.url, "carla").login(second).status_code != 302

    def is_out() -> bool:
        return "/hub/login" in carla.session.get(f"{roster_hub.url}/hub/home").url

    eventually("the removed user's session ends", is_out, 60)


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


def test_nothing_secret_in_a_users_container(roster_hub: Checkout, pair: tuple[User, User]) -> None:
    inspected = json.dumps(roster_hub.server("anna").attrs)
    for name, secret in roster_hub.secrets().items():
        assert secret not in inspected, name
    tokens = [
        v for v in roster_hub.server("anna").attrs["Config"]["Env"] if "TOKEN" in v.split("=")[0]
    ]
    assert {t.split("=")[0] for t in tokens} == {"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN"}
    assert len({t.split("=")[1] for t in tokens}) == 1  # its own, under two names
    assert ENGINE.ping()


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
