"""Debian's image is made from its packages once a week, and from what was packed in between."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from toolchain.setup import base_images
from toolchain.setup.engine import Engine
from toolchain.setup.steps import Problem, run

ARCHIVE = "debian-bookworm-slim.tar"
WEEK = 7 * 86400


class Importing(Engine):
    """Takes images."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[list[str]] = []

    def import_image(self, tar: Any, reference: str, *changes: str) -> None:
        assert reference == base_images.DEBIAN and changes == ('CMD ["bash"]',)
        with tarfile.open(fileobj=io.BytesIO(tar.read())) as archive:
            self.files.append(archive.getnames())


class Packages:
    """debootstrap's part: a system in a folder."""

    def __init__(self) -> None:
        self.made, self.fails = 0, False

    def run(self, command: Sequence[str | Path], what: str, **options: Any) -> None:
        if what != "debootstrap":
            return run(command, what, **options)
        self.made += 1
        for name in ("etc/apt/sources.list", "var/lib/apt/lists/a_Packages"):
            file = Path(command[-1]) / name
            file.parent.mkdir(parents=True)
            file.touch()
        if self.fails:
            raise Problem("debootstrap failed")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    found = Packages()
    monkeypatch.setattr(base_images.paths, "cache", lambda: tmp_path)
    monkeypatch.setattr(base_images, "run", found.run)
    monkeypatch.setattr(base_images, "is_root", lambda: True)
    monkeypatch.setattr(base_images, "apt_install", lambda *_: None)
    return found


def test_what_was_packed_is_taken_for_a_week(packages: Packages, tmp_path: Path) -> None:
    engine = Importing()
    assert base_images._debian(engine) == "made from Debian's packages"
    assert base_images._debian(engine) == "made from the packages that are there"
    assert packages.made == 1
    assert engine.files[0] == engine.files[1]
    assert "./etc/apt/sources.list" in engine.files[0]
    assert "./var/lib/apt/lists/a_Packages" not in engine.files[0]
    before = (tmp_path / ARCHIVE).stat().st_mtime - WEEK - 60
    os.utime(tmp_path / ARCHIVE, (before, before))
    assert base_images._debian(engine) == "made from Debian's packages"
    assert packages.made == 2


def test_what_failed_is_not_there(packages: Packages, tmp_path: Path) -> None:
    packages.fails = True
    with pytest.raises(Problem):
        base_images._debian(Importing())
    assert not list(tmp_path.glob("*.tar"))


def test_who_is_not_root_may_take_what_is_packed(
    packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_images, "is_root", lambda: False)
    with pytest.raises(Problem, match="only root can make it"):
        base_images._debian(Importing())
    monkeypatch.setattr(base_images, "is_root", lambda: True)
    base_images._debian(Importing())
    monkeypatch.setattr(base_images, "is_root", lambda: False)
    assert base_images._debian(Importing()) == "made from the packages that are there"
