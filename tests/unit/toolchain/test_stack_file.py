"""A stack's file is its owner's: made from a template, which never has a secret."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from toolchain.setup.steps import Problem
from toolchain.stacks import stack_file, tracked_secrets

ROOT = Path(__file__).parents[3]
TEMPLATE = "# A hub.\nconfig:\n  jupyterhub:platform: local\n"
OWN = f"""{TEMPLATE}  jupyterhub:secrets:
    cookie_secret:
      secure: v1:abc
encryptionsalt: v1:x
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "stacks/catalogue").mkdir(parents=True)
    (tmp_path / "stacks/catalogue/local.yaml").write_text(TEMPLATE)
    return tmp_path


def test_the_first_use_makes_it(root: Path) -> None:
    assert stack_file.present("local", root) == root / "stacks/catalogue/local.yaml"
    file = stack_file.require("local", root)
    assert file == root / "stacks/Pulumi.local.yaml" == stack_file.present("local", root)
    assert file.read_text() == TEMPLATE
    file.write_text("mine")
    assert stack_file.require("local", root).read_text() == "mine"
    assert list((root / "stacks").glob(".*")) == []


def test_any_name_from_any_template(root: Path) -> None:
    assert stack_file.make("class", "local", root).read_text() == TEMPLATE
    assert stack_file.names(root) == ["class", "local"]
    assert stack_file.platform("class", root) == "local"
    with pytest.raises(Problem, match="there already"):
        stack_file.make("class", "local", root)


def test_a_name_that_is_nowhere_is_told_with_the_way_out(root: Path) -> None:
    with pytest.raises(Problem) as told:
        stack_file.require("nowhere", root)
    assert "make new STACK=nowhere FROM=local" in str(told.value)
    assert "Stacks here: local." in str(told.value)


def test_secrets_that_arrived_in_a_template_move_to_the_own_file(root: Path) -> None:
    template = root / "stacks/catalogue/local.yaml"
    template.write_text(OWN)
    assert stack_file.require("local", root).read_text() == OWN
    assert template.read_text() == TEMPLATE


def test_nothing_that_git_tracks_here_has_a_secret() -> None:
    assert list(tracked_secrets.faults()) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stacks/catalogue/local.yaml", OWN),
        ("stacks/Pulumi.class.yaml", OWN),
        ("tests/fixture.yaml", "config: {a: {secure: 'v1:abc'}}"),
        ("examples/key.pem", "-----BEGIN EC PRIVATE KEY-----\n"),
    ],
)
def test_a_secret_in_a_tracked_file_is_found(name: str, text: str, root: Path) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    _git(root, "init", "-q")
    assert list(tracked_secrets.faults(root)) == []  # not tracked
    _git(root, "add", "-Af")
    (fault,) = tracked_secrets.faults(root)
    assert fault.startswith(f"{name} has a secret")


def test_a_team_may_track_the_file_of_a_stack_that_it_shares(root: Path) -> None:
    (root / "stacks/Pulumi.class.yaml").write_text(OWN)
    (root / "stacks/backend.class").write_text("s3://bucket\n")
    _git(root, "init", "-q")
    _git(root, "add", "-Af")
    assert list(tracked_secrets.faults(root)) == []


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)
