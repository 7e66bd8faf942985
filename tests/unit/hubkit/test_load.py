"""One user, or a class at once, holds nobody up.

A real hub, in which something takes long: a hash, an engine's answer, a disk's. How long its loop
stands still is compared with the same wait on the loop itself, in the same run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from hubkit.login import slowed
from hubkit.login.slowed import FREE

from tests.client import User
from tests.servers import docker_hub
from tests.servers.docker_hub import TEACHER, DockerHub, password

SLOW = 4.0  # seconds
PEOPLE = [f"student{number}" for number in range(50)]
HANGS, WRONG = "student49", "a wrong password"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def hub(folder: Path) -> Iterator[DockerHub]:
    spawn = {"concurrency": 10, "start_timeout": 60}
    told = docker_hub.settings(PEOPLE, spawn=spawn)
    slow = {
        "slow": SLOW,
        "slow_passwords": [password("student1"), WRONG],
        "slow_containers": {f"{HANGS}": SLOW},
        "numbers": {
            "hubkit.spawner": {"DISK_ANSWERS": 1.0},  # seconds
            "hubkit.login.passwords": {"FIRST_ROUNDS": 4},
            "hubkit.ends": {"AGAIN": 0.5},
        },
    }
    with (
        docker_hub.notebooks(len(PEOPLE)),
        docker_hub.running(folder, told, proxy_class="tests.servers.routes.Routes", **slow) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def most(hub: DockerHub) -> float:
    """Half of how long the hub stands still where such a wait is on its loop."""
    seen = hub.stall(block=SLOW)
    assert seen > 0.9 * SLOW
    return seen / 2


def log_in(hub: DockerHub, name: str, word: str) -> requests.Response:
    return User(hub.url, name).login(word)


def all_at_once(work: Callable[[str], requests.Response], names: list[str]) -> list[int]:
    with ThreadPoolExecutor(10) as pool:
        return [answer.status_code for answer in pool.map(work, names)]


def test_30_people_log_in(hub: DockerHub, most: float) -> None:
    hub.stall()
    answers = all_at_once(lambda name: log_in(hub, name, password(name)), PEOPLE[:40])
    assert answers == [302] * 40
    assert hub.stall() < most


def test_200_wrong_passwords(hub: DockerHub, folder: Path, most: float) -> None:
    """Of people who have been here, whose hashes are looked at, and once each."""
    docker_hub.wait_for(lambda: hub.look()["hashes"] == 40, folder / "log")  # of those logins
    begun = time.monotonic()
    guesses = [(name, f"guess {number}") for name in PEOPLE[:40] for number in range(FREE)]
    guesses[7] = (guesses[7][0], WRONG)
    answers = all_at_once(lambda guess: log_in(hub, *guess), guesses)
    took = time.monotonic() - begun
    assert answers == [200] * len(guesses)
    assert took > SLOW  # one was slow, or this shows nothing
    seen = hub.look()
    assert seen["longest"] < most
    assert seen["hashes"] == 40 + 200


def test_a_disk_that_hangs(hub: DockerHub, folder: Path, most: float) -> None:
    name = PEOPLE[0]
    assert hub.ask("POST", f"/users/{name}").status_code in (201, 409)
    hub.stall()
    (folder / "hangs").touch()
    try:
        answer = hub.ask("POST", f"/users/{name}/server")
    finally:
        (folder / "hangs").unlink()
    assert "does not answer" in answer.json()["message"]
    assert hub.stall() < most


def test_50_people_start(hub: DockerHub, folder: Path, most: float) -> None:
    """The engine takes long for one of them."""
    for name in PEOPLE:
        assert hub.ask("POST", f"/users/{name}").status_code in (201, 409)
    hub.stall()
    answers = all_at_once(lambda name: hub.ask("POST", f"/users/{name}/server"), PEOPLE)
    assert set(answers) <= {201, 202}
    docker_hub.wait_for(lambda: ready(hub) == set(PEOPLE), folder / "log")
    seen = hub.look()
    assert seen["longest"] < most
    threads = {thread.split("_")[0] for thread in seen["threads"]}
    assert {"starts", "files"} <= threads <= {"starts", "files", "polls"}


@pytest.mark.parametrize("is_heard", [True, False])
def test_a_server_that_ends_is_known_before_anybody_asks(
    hub: DockerHub, folder: Path, is_heard: bool
) -> None:
    """Also when the engine restarts, and has said nothing."""
    name = PEOPLE[3]
    hub.ask("POST", f"/users/{name}")
    hub.ask("POST", f"/users/{name}/server")
    docker_hub.wait_for(lambda: name in ready(hub), folder / "log")
    hub.end(name, is_heard)
    within = 30  # seconds; half of the time after which the hub asks by itself
    docker_hub.wait_for(lambda: name not in ready(hub), folder / "log", within)
    gone = f"-user-{name}"  # and what is left of it is tidied up
    docker_hub.wait_for(
        lambda: not any(each.endswith(gone) for each in hub.look()["containers"]), folder / "log"
    )


def test_a_choice_as_long_as_a_book_is_not_kept(hub: DockerHub) -> None:
    name = PEOPLE[2]
    hub.ask("DELETE", f"/users/{name}/server")
    hub.ask("POST", f"/users/{name}")
    assert hub.ask("POST", f"/users/{name}/server", json={"size": "x" * 5000}).status_code == 413
    asked = hub.ask("GET", f"/users/{name}?include_stopped_servers").json()["servers"]
    assert all(server["user_options"] == {} for server in asked.values())
    assert hub.ask("POST", f"/users/{name}/server", json={"more": "x" * 4000}).ok


def test_nobody_locks_the_teacher_out(hub: DockerHub) -> None:
    """Not where the teacher has been before; a guesser at the same address has to wait."""
    right, teacher = password(TEACHER), User(hub.url, TEACHER)
    assert teacher.login(right).status_code == 302
    for name in ("jupyterhub-session-id", "jupyterhub-hub-login"):
        with contextlib.suppress(KeyError):
            del teacher.session.cookies[name]
    guesses = [log_in(hub, TEACHER, f"guess {number}").status_code for number in range(FREE + 3)]
    assert guesses[FREE + 1 :] == [429, 429]
    assert log_in(hub, TEACHER, right).status_code == 429
    assert teacher.login(right).status_code == 302
    assert log_in(hub, "student45", password("student45")).status_code == 302  # the same address


def test_a_browser_of_somebody_else_is_none_of_the_teacher_s(hub: DockerHub) -> None:
    """Its cookie renamed to the teacher's opens no further tries."""
    student = User(hub.url, "student46")
    student.login(password("student46"))
    own = next(c for c in student.session.cookies if c.name == slowed._cookie("student46"))
    answers = []
    for number in range(FREE + 3):
        guesser = User(hub.url, "student47")
        guesser.session.cookies.set(slowed._cookie("student47"), own.value, path=own.path)
        answers.append(guesser.login(f"guess {number}").status_code)
    assert answers[-1] == 429


def ready(hub: DockerHub) -> set[str]:
    return {user["name"] for user in hub.ask("GET", "/users?state=ready").json()}
