"""Which Go and which Pulumi are taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolchain.setup import go, paths, pulumi_cli


def program(folder: Path, name: str, prints: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{prints}'\n")
    file.chmod(0o755)
    return str(file)


def test_a_go_that_can_fetch_its_successor_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = program(tmp_path / "old", "go", "go version go1.19.8 linux/amd64")
    new = program(tmp_path / "new", "go", "go version go1.22.2 linux/amd64")
    monkeypatch.setattr(go, "_present", lambda: [old, new])
    assert go.compiler() == new


def test_an_older_go_fetches_a_newer_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = program(tmp_path / "old", "go", "go version go1.19.8 linux/amd64")
    monkeypatch.setattr(go, "_present", lambda: [old])
    monkeypatch.setattr(go, "_newer", lambda found: f"newer by {found}")
    assert go.compiler() == f"newer by {old}"


@pytest.mark.parametrize(
    ("version", "taken"),
    [("v3.255.0", True), ("v3.300.1", True), ("v3.254.0", False), ("v4.0.0", False), ("", False)],
)
def test_a_users_own_pulumi_is_taken_if_it_is_recent(
    tmp_path: Path, version: str, taken: bool
) -> None:
    assert pulumi_cli._is_recent(program(tmp_path, "pulumi", version)) is taken


def test_the_vendors_language_host_is_told_from_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi = Path(program(tmp_path / "vendor", "pulumi", "v3.255.0"))
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
