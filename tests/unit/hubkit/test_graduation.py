"""Moving to another hub: names on 1,000 generated ones, homes as streams, accounts."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from escapism import unescape
from hubkit import graduation
from hubkit.graduation import Refused
from hubkit.volumes import SENTINEL

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789._@+-"
OWNER = ("--owner", f"{os.getuid()}:{os.getgid()}")


def generated(count: int) -> list[str]:
    """Names as people have them, and as nobody should: all that the hub allows."""
    made = random.Random(7)
    found = {"anna.rossi@unipd.it", "anna", "2026", "a--b", "a-b", "a.b", "a_b", "a+b", "b-", "x-2"}
    while len(found) < count:
        length = made.choice((1, 2, 3, 8, 20, 63))
        name = "".join(made.choice(LETTERS) for _ in range(length))
        if name[0].isalnum():
            found.add(name)
    return sorted(found)


def test_a_thousand_names_have_folders_of_their_own_and_are_found_again() -> None:
    people = generated(1000)
    found = graduation.moves(people)
    assert len({move.after for move in found}) == len({move.before for move in found}) == 1000
    table = {move.after: move.name for move in found}
    for move in found:
        assert unescape(move.before, escape_char="-") == move.name
        assert table[graduation.slug(move.name)] == move.name
        assert graduation._OBJECT.fullmatch(move.after)


def test_slugs_are_kubespawners() -> None:
    slugs = pytest.importorskip("kubespawner.slugs", reason="kubespawner is not installed here")
    for name in generated(1000):
        assert graduation.slug(name) == slugs.safe_slug(name), name


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("anna", "anna"),
        ("anna.rossi@unipd.it", "anna-rossi-unipd-it---90375a43"),
        ("2026", "x-2026---"),
        ("a--b", "a-b---"),
        ("b-", "b---"),
    ],
)
def test_slugs_are_as_known(name: str, slug: str) -> None:
    found = graduation.slug(name)
    assert found == slug or (slug.endswith("---") and found.startswith(slug))


def test_two_names_for_one_folder_are_refused_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graduation, "slug", lambda name: name.rstrip("0123456789"))
    with pytest.raises(Refused, match="anna1 and anna2 would both be anna on the new hub"):
        graduation.moves(["anna2", "ben", "anna1"])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "old" / "anna"
    (made / "sub" / "empty").mkdir(parents=True)
    (made / "a.txt").write_text("hello")
    (made / "sub" / "large.bin").write_bytes(os.urandom(3_000_000))
    (made / "sub" / "ünïcode ☃").write_text("snow")
    (made / ("long" * 40)).write_text("name")
    (made / "run.sh").write_text("#!/bin/sh\n")
    (made / "run.sh").chmod(0o750)
    (made / "link").symlink_to("../../outside")
    (made / "inside").symlink_to("a.txt")
    (made / "sub").chmod(0o555)
    return made


def command(homes: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "hubkit.graduation", "--homes", str(homes), *words]


def copied(old: Path, new: Path, folder: str) -> subprocess.CompletedProcess[bytes]:
    with subprocess.Popen(command(old, "pack", "anna"), stdout=subprocess.PIPE) as packing:
        return subprocess.run(
            command(new, "unpack", folder, *OWNER),
            stdin=packing.stdout,
            capture_output=True,
            check=False,
        )


def test_a_home_arrives_as_it_was_also_after_a_kill(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("not the user's")
    new = tmp_path / "new"
    new.mkdir()
    (new / SENTINEL).touch()
    packed = subprocess.run(command(home.parent, "pack", "anna"), capture_output=True, check=True)
    half = packed.stdout[: len(packed.stdout) // 2]
    cut = command(new, "unpack", "anna", *OWNER)
    broken = subprocess.run(cut, input=half, capture_output=True)
    assert broken.returncode != 0
    assert not (new / "anna").exists()  # whole or not at all
    assert copied(home.parent, new, "anna").returncode == 0
    assert graduation.inventory(new / "anna") == graduation.inventory(home)
    assert graduation.inventory(home)["files"] == 5
    assert (new / "anna/link").is_symlink()
    assert (new / "anna/sub").stat().st_mode & 0o777 == 0o555
    assert {path.name for path in new.iterdir()} == {"anna", SENTINEL}
    assert outside.read_text() == "not the user's"


def test_a_home_that_is_there_is_not_touched(home: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    (new / "anna").mkdir(parents=True)
    (new / "anna" / "mine").write_text("new work")
    (new / SENTINEL).touch()
    done = copied(home.parent, new, "anna")
    assert done.returncode == 1
    assert b"anna is on the new hub already, with other files: it was not touched" in done.stderr
    assert (new / "anna" / "mine").read_text() == "new work"


def test_a_folder_of_the_container_itself_takes_no_home(home: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    done = copied(home.parent, new, "anna")
    assert done.returncode == 1
    assert b"is not the volume of homes" in done.stderr
    assert not list(new.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        lambda home: (home / "a.txt").write_text("hallo"),
        lambda home: (home / "a.txt").rename(home / "b.txt"),
        lambda home: (home / "run.sh").chmod(0o755),
        lambda home: (home / "new").mkdir(),
    ],
)
def test_any_difference_is_seen(home: Path, change: object) -> None:
    before = graduation.inventory(home)
    change(home)  # type: ignore[operator]
    assert graduation.inventory(home)["checksum"] != before["checksum"]


def test_sockets_and_pipes_are_left(home: Path) -> None:
    before = graduation.inventory(home)
    os.mkfifo(home / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(home / "socket"))
        assert graduation.inventory(home) == before


def test_accounts_arrive_and_what_is_there_stays(tmp_path: Path) -> None:
    from hubkit.login.passwords import UserInfo
    from jupyterhub import orm
    from nativeauthenticator.orm import Base
    from sqlalchemy.orm import sessionmaker

    def hub(name: str) -> object:
        made = orm.new_session_factory(f"sqlite:///{tmp_path}/{name}.sqlite")()
        Base.metadata.create_all(made.get_bind())
        return sessionmaker(bind=made.get_bind())()

    old, new = hub("old"), hub("new")
    anna, ben = orm.User(name="anna", admin=True), orm.User(name="ben")
    muons = orm.Group(name="muons", users=[anna, ben])
    old.add_all([anna, ben, muons])  # type: ignore[attr-defined]
    for name, rounds in (("anna", 12), ("ben", 10)):  # ben's is a first password
        info = UserInfo(username=name, password=b"$2b$%02d$hash" % rounds, is_authorized=True)
        old.add(info)  # type: ignore[attr-defined]
    old.commit()  # type: ignore[attr-defined]
    new.add(orm.User(name="ben", admin=True))  # type: ignore[attr-defined]
    new.commit()  # type: ignore[attr-defined]
    told = graduation.export(old, ["anna", "ben"])
    assert set(told["passwords"]) == {"anna"}
    for _ in range(2):  # again changes nothing
        graduation.take(new, told)
    users = {user.name: user.admin for user in new.query(orm.User)}  # type: ignore[attr-defined]
    assert users == {"anna": True, "ben": True}
    assert sorted(user.name for user in orm.Group.find(new, "muons").users) == ["anna", "ben"]
    assert UserInfo.find(new, "anna").password == b"$2b$12$hash"
    assert UserInfo.find(new, "ben") is None
