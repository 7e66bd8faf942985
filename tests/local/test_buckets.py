"""Buckets in homes, on a real store that speaks S3: who sees what, and all that can go away."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.checkout import ENGINE, Checkout, running
from tests.client import User, eventually, logged_in
from tests.local.conftest import NOTEBOOK
from tests.local.test_roster import passwords
from tests.servers.s3 import KEY, SECRET, Store

PORT, NUMBER = 8795, 18
AWAY = "http://127.0.0.1:1"  # nobody is there, ever


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(PORT, tmp_path_factory.mktemp("store"))
    for name in ("data", "work", "place"):
        made.bucket(name)
    (made.bucket("data") / "measured.txt").write_text("42")
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Iterator[Checkout]:
    common = {"kind": "s3", "endpoint": store.url, "access_key": KEY, "secret_key": SECRET}
    buckets = {
        "data": common | {"bucket": "data"},
        "work": common | {"bucket": "work", "path": "of/class", "access": "private"},
        "place": common | {"bucket": "place", "access": "scratch"},
        "away": common | {"bucket": "away", "endpoint": AWAY},
    }
    config = {
        "hub": {
            "login": {"kind": "roster", "users": ["anna", "ben@unipd.it"]},
            "images": [{"title": "Python", "source": NOTEBOOK, "memory_limit": "512MiB"}],
            "files": {"buckets": buckets},
        }
    }
    with running(tmp_path_factory.mktemp("buckets"), "tbuckets", NUMBER, config) as checkout:
        yield checkout


@pytest.fixture(scope="module")
def people(hub: Checkout) -> Iterator[tuple[User, User]]:
    known = passwords(hub)
    anna, ben = (logged_in(hub.url, name, known[name]) for name in ("anna", "ben@unipd.it"))
    for user in (anna, ben):
        user.start()
        eventually("the mounts", lambda user=user: "42" in reads(user, "data/measured.txt"), 60)
    yield anna, ben
    for user in (anna, ben):
        user.stop()


def reads(user: User, path: str) -> str:
    return user.run(f"print(open('cloud-storage/{path}').read())")


def writes(user: User, path: str, text: str) -> str:
    return user.run(f"print(open('cloud-storage/{path}', 'w').write({text!r}))")


def lists(user: User, path: str) -> str:
    return user.run(f"import os; print(sorted(os.listdir('cloud-storage/{path}')))")


def test_each_sees_what_is_theirs(people: tuple[User, User], store: Store) -> None:
    anna, ben = people
    entries = "['away', 'data', 'my-place', 'place', 'work']"
    assert lists(anna, "") == entries == lists(ben, "")
    assert writes(anna, "work/mine", "secret") == "6"
    assert lists(anna, "work") == "['mine']"
    assert lists(ben, "work") == "[]"
    # Below the names that homes have; all of it under the bucket's folder.
    stored = store.bucket("work") / "of/class/anna/mine"
    eventually("it is stored", lambda: stored.exists() and stored.read_text() == "secret", 30)
    writes(ben, "work/mine", "other")
    stored = store.bucket("work") / "of/class/ben-40unipd-2eit/mine"
    eventually("it is stored", lambda: stored.exists() and stored.read_text() == "other", 30)
    assert reads(anna, "work/mine") == "secret"


def test_the_shared_one_is_as_the_stack_says(people: tuple[User, User]) -> None:
    anna, _ = people
    assert reads(anna, "data/measured.txt") == "42"
    assert "Read-only" in writes(anna, "data/measured.txt", "0")
    remove = "import os; os.remove('cloud-storage/data/measured.txt')"
    assert "Read-only" in anna.run(remove)


def test_scratch_is_written_by_its_owner_and_read_by_all(people: tuple[User, User]) -> None:
    anna, ben = people
    assert writes(anna, "my-place/plot", "look") == "4"
    eventually("ben sees it", lambda: reads(ben, "place/anna/plot") == "look", 60)
    assert "Read-only" in writes(ben, "place/anna/plot", "gone")
    assert "Read-only" in writes(anna, "place/anna/plot", "gone")
    assert lists(ben, "my-place") == "[]"


def test_users_containers_have_no_privileges_and_no_credentials(
    hub: Checkout, people: tuple[User, User]
) -> None:
    for container in hub.containers("user"):
        config = container.attrs["HostConfig"]
        assert not config["Privileged"] and config["CapDrop"] == ["ALL"] and not config["CapAdd"]
        assert not config["Devices"]
        assert SECRET not in str(container.attrs)
    anna, _ = people
    assert "Permission" in anna.run("import os; os.mkdir('cloud-storage/own')")
    for role in ("hub", "buckets", "guard"):
        assert SECRET not in str(hub.container(role).attrs)
        assert SECRET not in hub.container(role).logs().decode()


def test_a_bucket_that_is_away_says_so(people: tuple[User, User]) -> None:
    anna, _ = people
    eventually("the reason", lambda: "does not answer" in reads(anna, "away/NOT-AVAILABLE.txt"), 60)
    assert "make logs WHAT=buckets" in reads(anna, "away/NOT-AVAILABLE.txt")
    assert "Permission" in writes(anna, "away/lost", "would be lost")


def test_a_killed_container_comes_back_and_loses_nothing(
    hub: Checkout, people: tuple[User, User], store: Store
) -> None:
    anna, _ = people
    stored = store.bucket("work") / "of/class/anna/late"
    with anna.kernel() as kernel:
        assert kernel.run("print(open('cloud-storage/work/late', 'w').write('kept'))") == "4"
        store.kill()  # before it is stored: that takes two seconds
        assert not stored.exists()
        hub.container("buckets").kill()  # the guard starts it again
        assert kernel.run("print(open('own', 'w').write('homes work'))") == "10"
        store.start()
        look = "import os; print(os.path.exists('cloud-storage/data/measured.txt'))"
        eventually("the mounts are back", lambda: kernel.run(look) == "True", 90)
    eventually("it is stored", lambda: stored.exists() and stored.read_text() == "kept", 90)


def test_a_dead_store_is_told_and_comes_back_without_a_restart(
    hub: Checkout, people: tuple[User, User], store: Store
) -> None:
    anna, ben = people
    ben.stop()
    store.kill()
    begun = time.monotonic()
    lists(anna, "data")
    assert time.monotonic() - begun < 30
    text = "data/NOT-AVAILABLE.txt"
    eventually("the reason", lambda: "does not answer" in reads(anna, text), 90)
    ben.start(within=60)  # no start waits for a store
    eventually("his reason", lambda: "does not answer" in reads(ben, text), 60)
    store.start()
    for user in (anna, ben):
        eventually("back", lambda user=user: reads(user, "data/measured.txt") == "42", 60)
    assert lists(anna, "work") == "['late', 'mine']"


def test_mounts_go_with_the_last_server(hub: Checkout, people: tuple[User, User]) -> None:
    _, ben = people
    mine = "/users/ben-40unipd-2eit/work "

    def mounted() -> str:
        return str(hub.container("buckets").exec_run(["cat", "/proc/mounts"]).output.decode())

    assert mine in mounted()
    ben.stop()
    eventually("they are dropped", lambda: mine not in mounted(), 30)
    assert "/users/anna/work " in mounted()
    ben.start()
    eventually("they are back", lambda: mine in mounted(), 30)


def test_the_engine_keeps_the_folder_while_buckets_are_in_it(hub: Checkout) -> None:
    """It would delete what is mounted there, too."""
    volume = ENGINE.volumes.get(f"{hub.deployment}-buckets")
    with pytest.raises(Exception, match="volume is in use"):
        volume.remove()
