"""A hub of somebody else is left alone."""

from __future__ import annotations

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
