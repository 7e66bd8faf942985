"""Only what was handed in is collected, whatever a user makes of the folder."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from hubkit import collect, names


def home(homes: Path, name: str) -> Path:
    folder = homes / names.escaped(name)
    (folder / "handed-in" / "part").mkdir(parents=True)
    return folder


def packed(homes: Path, *people: str, limit: int = 1000) -> dict[str, bytes]:
    target = io.BytesIO()
    collect.pack(homes, "handed-in", people, target, limit)
    with zipfile.ZipFile(target) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_files_are_sorted_by_name(tmp_path: Path) -> None:
    (home(tmp_path, "anna") / "handed-in/part/a.txt").write_text("a")
    (home(tmp_path, "ben@unipd.it") / "handed-in/b.txt").write_text("b")
    found = packed(tmp_path, "ben@unipd.it", "anna", "nobody")
    assert found == {"anna/part/a.txt": b"a", "ben@unipd.it/b.txt": b"b"}


def test_no_trick_reads_anything_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("k")
    mine = home(tmp_path / "homes", "mallory") / "handed-in"
    (mine / "file").symlink_to(secret / "key")
    (mine / "folder").symlink_to(secret)
    os.mkfifo(mine / "pipe")
    theirs = tmp_path / "homes" / "eve"
    theirs.mkdir()
    (theirs / "handed-in").symlink_to(secret)
    assert packed(tmp_path / "homes", "mallory", "eve") == {}


def test_too_much_is_refused(tmp_path: Path) -> None:
    (home(tmp_path, "anna") / "handed-in/big").write_bytes(bytes(2000))
    with pytest.raises(collect.TooMuch):
        packed(tmp_path, "anna")
