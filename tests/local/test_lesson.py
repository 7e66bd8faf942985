"""What a class works with: folders, examples, links, limits that explain themselves."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.checkout import Checkout, running
from tests.client import User, eventually, logged_in
from tests.local.conftest import NOTEBOOK
from tests.local.test_roster import passwords
from tests.servers import git_http, outside

GIT = "198.51.100.7"
DISK = 300 * 1024**2  # bytes
COURSE = f"http://{GIT}/course"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository on a machine elsewhere."""
    folder = tmp_path_factory.mktemp("git")
    work = folder / "course"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    commit(work, "first.ipynb", "{}")
    with outside.machine(GIT, [sys.executable, git_http.__file__, GIT, folder]):
        yield work


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=teacher", "-c", "user.email=teacher@class.test"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True)


def commit(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", name)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk for homes."""
    folder = tmp_path_factory.mktemp("homes")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("needs root, to mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, course: Path, disk: Path) -> Iterator[Checkout]:
    config = {
        "hub": {
            "login": {"kind": "roster", "users": ["anna", "ben", "carla"]},
            "images": [{"title": "Python", "source": NOTEBOOK, "memory_limit": "512MiB"}],
            "announcement": "No class on <Friday>",
            "files": {
                "groups": {"muons": {"members": ["anna", "ben"]}},
                "examples": {"repository": COURSE, "every": 30},
                "scratch": True,
                "collect": "handed-in",
            },
        },
        "volumes": {"homes": {"path": str(disk)}},
    }
    with running(tmp_path_factory.mktemp("lesson"), "tlesson", 3, config) as checkout:
        yield checkout


@pytest.fixture(scope="module")
def people(hub: Checkout) -> Iterator[dict[str, User]]:
    known = passwords(hub)
    found = {name: logged_in(hub.url, name, known[name]) for name in ("anna", "ben", "carla")}
    for user in found.values():
        user.start()
    yield found
    for user in found.values():
        user.stop()


def test_a_new_home_has_what_the_image_has_in_its_own(people: dict[str, User]) -> None:
    assert "'.bashrc'" in people["anna"].run("import os; print(sorted(os.listdir('.')))")
    assert people["anna"].run("print(open('.bashrc', 'a').write('#'))") == "1"


def test_a_groups_folder_is_its_members(people: dict[str, User]) -> None:
    anna, ben, carla = people["anna"], people["ben"], people["carla"]
    anna.run("open('group-muons/plan', 'w').write('together')")
    assert ben.run("print(open('group-muons/plan', 'a').write('!'))") == "1"
    assert anna.run("print(open('group-muons/plan').read())") == "together!"
    assert carla.run("import os; print(os.path.exists('group-muons'))") == "False"


def test_examples_come_from_git_and_follow_it(people: dict[str, User], course: Path) -> None:
    anna = people["anna"]
    look = "import os; print(sorted(os.listdir('examples')))"
    eventually("the examples", lambda: "first.ipynb" in anna.run(look), 20)
    assert "Read-only" in anna.run("open('examples/mine', 'w')")
    commit(course, "second.ipynb", "{}")
    eventually("the new one", lambda: "second.ipynb" in anna.run(look), 60)


def test_the_scratch_folder_goes_with_the_server(hub: Checkout, people: dict[str, User]) -> None:
    anna = people["anna"]
    anna.run("open('scratch-not-kept/big', 'w').write('x'); open('kept', 'w').write('x')")
    ben_sees = people["ben"].run("import os; print(os.listdir('scratch-not-kept'))")
    assert ben_sees == "[]"
    anna.stop()
    anna.start()
    found = anna.run("import os; print(os.listdir('scratch-not-kept'), os.path.exists('kept'))")
    assert found == "[] True"


def test_a_users_own_file_in_the_way_is_only_renamed(
    hub: Checkout, people: dict[str, User]
) -> None:
    carla = people["carla"]
    hub.container("hub")
    carla.run("import os; os.symlink('/srv/state', 'group-leptons')")
    hub.configure(
        hub={
            "files": hub.section("hub")["files"]
            | {"groups": {"muons": {"members": ["anna", "ben"]}, "leptons": {"members": ["carla"]}}}
        }
    )
    hub.make("up")
    carla.stop()
    carla.start()
    code = "import os; open('group-leptons/x', 'w'); print(os.readlink('group-leptons-1'))"
    assert carla.run(code) == "/srv/state"


def test_a_link_puts_a_repository_into_the_home(hub: Checkout, people: dict[str, User]) -> None:
    link = hub.make("link", f"REPO={COURSE}", "FILE=first.ipynb").strip()
    anna = people["anna"]
    page = anna.session.get(link)
    assert page.status_code == 200
    assert "/git-pull" in page.url
    pull = f"git-pull/api?repo={COURSE}&branch=main&targetpath=course"
    assert "finished" in anna.get(pull).text
    assert anna.run("import os; print(os.path.exists('course/first.ipynb'))") == "True"


def test_the_memory_limit_says_that_it_was_it(people: dict[str, User]) -> None:
    with people["ben"].kernel() as kernel:
        cell = kernel.send("x = bytearray(2_000_000_000)")
        told, status = "", ""
        while status != "restarting":
            answer = json.loads(kernel.socket.recv())
            status = answer["content"].get("execution_state", "")
            if answer["msg_type"] == "stream" and answer["parent_header"]["msg_id"] == cell:
                told += answer["content"]["text"]
    assert "Your kernel hit the memory limit of your server (0.5 GiB)" in told
    assert "your files are not" in told


def test_memory_and_processor_are_shown_against_the_limit(people: dict[str, User]) -> None:
    shown = people["anna"].get("api/metrics/v1").json()
    assert shown["limits"]["memory"]["rss"] == 512 * 1024**2
    assert shown["rss"] > 10 * 1024**2


def test_a_full_disk_is_told_instead_of_a_server(
    hub: Checkout, people: dict[str, User], disk: Path
) -> None:
    carla = people["carla"]
    carla.run("open('big', 'wb').write(bytes(100 * 1024**2))")
    carla.stop()
    carla.session.get(f"{hub.url}/hub/spawn")
    page = carla.session.get(f"{hub.url}/hub/spawn").text
    assert "The disk of homes is full" in page
    assert "Tell your teacher" in page
    (next(disk.glob("carla*")) / "big").unlink()
    carla.start()


def test_the_teacher_collects_what_was_handed_in(hub: Checkout, people: dict[str, User]) -> None:
    people["anna"].run("open('handed-in/answer.txt', 'w').write('42')")
    people["ben"].run("import os; os.symlink('/etc/shadow', 'handed-in/trick')")
    assert people["anna"].session.get(f"{hub.url}/hub/collect").status_code == 403
    teacher = logged_in(hub.url, "teacher", passwords(hub)["teacher"])
    answer = teacher.session.get(f"{hub.url}/hub/collect")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["anna/answer.txt"]
        assert archive.read("anna/answer.txt") == b"42"


def test_the_announcement_is_on_the_pages_as_text(hub: Checkout) -> None:
    page = User(hub.url, "anna").session.get(f"{hub.url}/hub/login").text
    assert "No class on &lt;Friday&gt;" in page


def test_an_admin_opens_nobodys_server_unless_the_stack_says_so(
    hub: Checkout, people: dict[str, User]
) -> None:
    known = passwords(hub)
    teacher = logged_in(hub.url, "teacher", known["teacher"])
    assert teacher.session.get(people["anna"].at("lab")).status_code == 403
    headers = {"X-XSRFToken": teacher._xsrf("/hub/"), "Referer": f"{hub.url}/hub/admin"}
    tokens = f"{hub.url}/hub/api/users/anna/tokens"
    assert teacher.session.post(tokens, json={}, headers=headers).status_code in (403, 404)
    hub.configure(hub={"admin_access": True, "shared_origin": True})
    hub.make("up")
    teacher = logged_in(hub.url, "teacher", known["teacher"])
    page = teacher.session.get(people["anna"].at("lab"))
    form = BeautifulSoup(page.text, "html.parser").find("form")  # JupyterHub asks: really?
    assert form
    sent = {i["name"]: i.get("value", "") for i in form.find_all("input") if i.get("name")}
    opened = teacher.session.post(page.url, data=sent, headers={"Referer": page.url})
    assert opened.url.startswith(people["anna"].at("lab"))
    log = hub.container("hub").logs(tail=200).decode()
    assert any(
        "oauth2/authorize" in line and "user-anna" in line and "teacher@" in line
        for line in log.splitlines()
    )
