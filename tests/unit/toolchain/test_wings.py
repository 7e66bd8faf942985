"""The arrows between the wings of `toolchain/` run one way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOOLCHAIN = Path(__file__).parents[3] / "toolchain"
# What each wing may import, besides itself. `plugins` are programs of the engine: their parts.
MAY_IMPORT = {
    "setup": set(),
    "plugins": set(),
    "stacks": {"setup", "plugins"},
    "commands": {"stacks", "setup"},
}


@pytest.mark.parametrize("wing", MAY_IMPORT)
def test_arrows_run_one_way(wing: str) -> None:
    for file in (TOOLCHAIN / wing).rglob("*.py"):
        depth = len(file.relative_to(TOOLCHAIN).parts)
        outside = re.findall(rf"^ *from \.{{{depth}}}(\w+)", file.read_text(), re.M)
        assert set(outside) <= MAY_IMPORT[wing], file


def test_nobody_imports_a_command() -> None:
    for file in (TOOLCHAIN / "commands").glob("*.py"):
        assert not re.search(r"^ *from \.\w* import|^ *from \. import", file.read_text(), re.M), (
            file
        )


def test_every_command_of_the_makefile_is_a_file_and_the_other_way_round() -> None:
    makefile = (TOOLCHAIN.parent / "Makefile").read_text()
    called = set(re.findall(r"^\t@\$\(T\) ([a-z]+)", makefile, re.M))
    files = {file.stem for file in (TOOLCHAIN / "commands").glob("[a-z]*.py")}
    assert called == files
