"""A hub of somebody else is left alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from toolchain.setup.engine import Engine
from toolchain.setup.steps import Problem
from toolchain.stacks import recovery
from toolchain.stacks.stack import Stack

OWN = {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack", "urn": "x"}]}}


class OneHub(Engine):
    def __init__(self, status: str) -> None:
        super().__init__()
        self.status = status

    def containers(self, deployment: str, role: str | None = None) -> list[dict[str, Any]]:
        return [{"Id": "c0ffee", "State": self.status}]


@pytest.fixture(autouse=True)
def _no_data_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def test_a_running_hub_that_the_state_does_not_know_is_not_touched() -> None:
    with pytest.raises(Problem, match="TAKE_OVER=1"):
        recovery.check_owner(Stack("local"), OneHub("running"), {})


def test_it_can_be_taken_over() -> None:
    recovery.check_owner(Stack("local"), OneHub("running"), {}, take_over=True)
    recovery.check_owner(Stack("local"), OneHub("running"), {})  # asked once


@pytest.mark.parametrize(("status", "state"), [("running", OWN), ("exited", {})])
def test_ones_own_hub_and_a_dead_one_are_fine(status: str, state: dict[str, Any]) -> None:
    recovery.check_owner(Stack("local"), OneHub(status), state)


def test_a_lost_state_is_no_other_owner() -> None:
    recovery.check_owner(Stack("local"), OneHub("running"), OWN)
    recovery.check_owner(Stack("local"), OneHub("running"), {})


def test_what_is_left_of_a_lock_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk left it: pulumi says `unexpected end of JSON input`, and not of what."""
    folder = tmp_path / ".pulumi/locks/organization/jupyterhub/class"
    folder.mkdir(parents=True)
    half, being_written = folder / "1.json.18ec.tmp", folder / "2.json.18ed.tmp"
    other = folder.with_name("other") / "1.json.18ec.tmp"
    other.parent.mkdir()
    for file in (half, being_written, other):
        file.touch()
    os.utime(half, (0, 0))
    os.utime(other, (0, 0))
    stack = Stack("class")
    monkeypatch.setattr(stack, "environment", {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})
    assert not recovery.unlock(stack)
    assert not half.exists()
    assert being_written.exists() and other.exists()
