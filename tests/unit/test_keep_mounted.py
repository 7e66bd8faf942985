"""What images/rclone mounts for whom, and what it says; mounts themselves are in tests/local."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hubkit import buckets, names

FILE = Path(__file__).parents[2] / "images/rclone/keep_mounted.py"
REMOTE = {"type": "s3", "endpoint": "http://127.0.0.1:1", "secret_access_key": "top-secret"}
ODD = ["ben/x", "o`brien", "..", "Ben", "ana.sá", "-", "a b", "a\nb", "."]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("keep_mounted", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "keep_mounted", module)
    spec.loader.exec_module(module)
    for name in ("FOLDER", "ASKED", "CACHE"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setattr(module, name, folder)
    return module


def bucket(program: ModuleType, access: str, writable: bool = False) -> object:
    return program.Bucket("b", "store/path", access, writable, REMOTE)


def points(program: ModuleType, access: str, *users: str, writable: bool = False) -> dict:
    mounts = bucket(program, access, writable).mounts(set(users))
    root = program.FOLDER
    return {str(m.point.relative_to(root)): (m.root, m.read_only, m.shows) for m in mounts}


def test_a_private_bucket_is_a_folder_of_each(program: ModuleType) -> None:
    assert points(program, "private", "anna", "ben") == {
        "users/anna/b": ("store/path/anna", False, None),
        "users/ben/b": ("store/path/ben", False, None),
    }


def test_a_shared_one_is_mounted_once(program: ModuleType) -> None:
    found = points(program, "shared", "anna", "ben")
    whole = program.FOLDER / "all/b"
    assert found["all/b"] == ("store/path", True, None)
    assert found["users/anna/b"] == ("", False, whole) == found["users/ben/b"]
    assert points(program, "shared", "anna", writable=True)["all/b"][1] is False


def test_scratch_is_all_to_read_and_ones_own_to_write(program: ModuleType) -> None:
    found = points(program, "scratch", "anna", writable=True)
    assert found["all/b"] == ("store/path", True, None)
    assert found["users/anna/my-b"] == ("store/path/anna", False, None)


def test_nothing_is_mounted_for_nobody(program: ModuleType) -> None:
    assert not points(program, "shared")


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_leads_to_no_other_folder(
    program: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "ASKED", program.ASKED)
    buckets.ask(names.escaped(name), ["ben"])
    (user,) = program.asked() - {"ben"}
    (point,) = points(program, "private", user)
    assert point.count("/") == 2
    assert user not in ("ben", ".", "..") and user == names.escaped(name)
    (program.ASKED / "UPPER ..").touch()
    assert program.asked() == {user}


def test_who_has_no_server_is_forgotten(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "ASKED", program.ASKED)
    for name in ("anna", "ben"):
        buckets.ask(name, [])
    assert program.asked() == {"ben"}
    buckets.ask("anna", ["ben"])
    assert program.asked() == {"anna", "ben"}
    buckets.forget_all_but(set())
    assert not program.asked()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("dial tcp 127.0.0.1:1: connect: connection refused", "does not answer"),
        ("dial tcp: lookup s3.nowhere: no such host", "does not answer"),
        ("InvalidAccessKeyId: status code: 403", "refuses the hub's credentials"),
        ("directory not found", "no bucket of this name"),
        ("x509: certificate signed by unknown authority", "certificate"),
        ("teapot", "answers with an error"),
    ],
)
def test_a_student_reads_why(program: ModuleType, error: str, words: str) -> None:
    point = program.FOLDER / "users/anna/b"
    program.explain("b", point, program.in_words(error))
    text = (point / program.TEXT).read_text()
    assert words in text
    assert "make logs WHAT=buckets" in text


def test_the_text_is_never_written_into_a_bucket(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "FOLDER", Path("/proc"))  # another file system: as if mounted
    point = program.CACHE / "b"
    program.explain("b", point, "why")
    assert not list(point.iterdir())


def test_no_secret_reaches_the_log(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    rclone = program.Rclone({"owner": [1000, 100]}, [bucket(program, "private")])
    rclone.say("request with top-secret failed")
    assert capsys.readouterr().out == "request with *** failed\n"


def test_what_is_not_stored_yet_is_known(program: ModuleType) -> None:
    folder = program.CACHE / "vfsMeta/b/store/path/anna"
    folder.mkdir(parents=True)
    (folder / "done").write_text(json.dumps({"Dirty": False}))
    (folder / "broken").write_text("{")
    assert program.pending("b/store/path/anna") == 0
    (folder / "late").write_text(json.dumps({"Dirty": True}))
    assert program.pending("b/store/path/anna") == 1
    keeper = program.Keeper(bucket(program, "private"), None)
    assert keeper._have_pending() == {"anna"}  # stored also when anna doesn't come back
