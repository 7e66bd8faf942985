"""Which Go and which Pulumi are taken."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from toolchain.setup import go, paths, pulumi_cli
from toolchain.setup.steps import Problem


def program(folder: Path, name: str, prints: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{prints}'\n")
    file.chmod(0o755)
    return str(file)


OLD = "go version go1.19.8 linux/amd64"


def test_a_go_that_can_fetch_its_successor_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = program(tmp_path / "old", "go", OLD)
    new = program(tmp_path / "new", "go", "go version go1.22.2 linux/amd64")
    there = iter([old, new, None])
    monkeypatch.setattr(go.shutil, "which", lambda place: next(there))
    assert go.compiler() == new


@pytest.fixture
def no_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Debian 12's Go, and an empty cache."""
    old = program(tmp_path / "old", "go", OLD)
    monkeypatch.setattr(go.shutil, "which", lambda place: old)
    monkeypatch.setattr(go.paths, "cache", lambda: tmp_path)
    return tmp_path


def test_where_it_is_too_old_the_pinned_one_is_taken(
    no_go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wheel(package: str, folder: Path) -> Path:
        file = folder / f"{package}.whl"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("go/bin/go", "#!/bin/sh\necho go version go1.99.1 linux/amd64\n")
            archive.writestr("go/pkg/tool/linux_amd64/compile", "#!/bin/sh\n")
            archive.writestr("go/src/fmt/print.go", "package fmt\n")
        return file

    monkeypatch.setattr(go.programs, "wheel", wheel)
    found = Path(go.compiler())
    assert found == no_go / f"go-{go.VERSION}" / "bin" / "go"
    assert go._version(str(found)) == (1, 99)  # it runs
    assert os.access(found.parents[1] / "pkg/tool/linux_amd64/compile", os.X_OK)
    monkeypatch.setattr(go.programs, "wheel", None)  # the second time it is there
    assert go.compiler() == str(found)


def test_where_none_can_be_had_one_sentence_says_what_to_install(
    no_go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(go.programs, "wheel", lambda package, folder: None)
    with pytest.raises(Problem, match=r"Install Go 1\.21 or newer"):
        go.compiler()
    assert not (no_go / f"go-{go.VERSION}").exists()


@pytest.mark.parametrize(
    ("version", "taken"),
    [("v3.272.0", True), ("v3.300.1", True), ("v3.271.9", False), ("v4.0.0", False), ("", False)],
)
def test_a_users_own_pulumi_is_taken_if_it_is_recent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, taken: bool
) -> None:
    monkeypatch.setattr(pulumi_cli, "SDK", "3.272.0")
    assert pulumi_cli._is_recent(program(tmp_path, "pulumi", version)) is taken


def test_the_vendors_language_host_is_told_from_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi = Path(program(tmp_path / "vendor", "pulumi", "v3.272.0"))
    ours = Path(pulumi_cli.__file__).parent / "bin" / "language"
    monkeypatch.setenv("PATH", str(ours))
    assert not pulumi_cli._has_language_host(pulumi)
    program(tmp_path / "vendor", "pulumi-language-python", "")
    assert pulumi_cli._has_language_host(pulumi)


def test_sources_that_a_killed_run_left_go_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    left, at_work = paths.cache() / "build-left", paths.cache() / "build-at-work"
    for folder in (left, at_work):
        (folder / "pkg").mkdir(parents=True)
    os.utime(left, (0, 0))
    with go.workspace() as own:
        assert not left.exists()
        assert at_work.exists() and Path(own).exists()
