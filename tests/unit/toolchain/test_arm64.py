"""What docs/how-to.md says of an arm64 machine is what is pinned."""

from __future__ import annotations

import re

import pytest

from toolchain.setup import go, paths, programs, pulumi_cli

LOCKS = (programs.PINS, paths.ROOT / "toolchain" / "setup" / "uv.txt")
TEXT = "\n".join(lock.read_text() for lock in LOCKS)


def _table() -> str:
    text = (paths.ROOT / "docs" / "how-to.md").read_text()
    return text.split("## … run it on an arm64 machine")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", re.findall(r"^([\w-]+)==", TEXT, re.M))
def test_each_prebuilt_program_has_a_file_for_arm64_that_is_locked(name: str) -> None:
    rows = re.findall(rf"`{name}==(\S+)`, SHA-256 `([0-9a-f]{{64}})`", _table())
    version, hashes = programs.pinned(name, TEXT)
    assert [found for found, _ in rows] == [version], f"look up {name}'s file for aarch64"
    assert rows[0][1] in hashes


def test_what_is_downloaded_or_built_is_of_this_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> None:
        asked.append(url)
        raise OSError

    monkeypatch.setattr(pulumi_cli.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(pulumi_cli.urllib.request, "urlopen", urlopen)
    assert not pulumi_cli._download()
    assert asked[0].endswith("-linux-arm64.tar.gz")
    assert go.architecture() == "arm64"


def test_every_bundled_image_is_in_the_table() -> None:
    folders = {each.parent.name for each in (paths.ROOT / "images").glob("*/Dockerfile")}
    missing = [each for each in folders if not re.search(rf"\b{each}\b", _table(), re.IGNORECASE)]
    assert folders and not missing
