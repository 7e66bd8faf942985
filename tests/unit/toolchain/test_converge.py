"""A container of this stack that its state has lost is taken back; anybody else's is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from toolchain.setup.engine import Engine
from toolchain.stacks import converge
from toolchain.stacks.stack import Stack

OURS = {"Id": "1", "Labels": {"pulumi-jupyterhub.role": "hub"}}
CONFLICT = (
    "  a container named jupyterhub-class-hub is there already and does not belong to this stack"
)


class Late(Engine):
    """An engine that lists a container only after it was asked to make it again."""

    def __init__(self, containers: list[dict[str, Any]]) -> None:
        super().__init__()
        self.there = containers
        self.removed: list[str] = []

    def containers(self, deployment: str, role: str | None = None) -> list[dict[str, Any]]:
        assert deployment == "jupyterhub-class"
        return self.there

    def networks(self, deployment: str) -> list[dict[str, Any]]:
        return []

    def remove_container(self, identity: str, grace: int = 10) -> None:
        self.removed.append(identity)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    found = Stack("class")
    monkeypatch.setattr(found, "exported", dict)
    return found


def test_our_container_is_taken_back(stack: Stack) -> None:
    engine = Late([OURS])
    stack.shown = ["  ✓ Network hub-users: created", CONFLICT]
    assert converge.took_back(stack, engine)
    assert engine.removed == ["1"]


def test_a_container_without_our_labels_is_left_alone(stack: Stack) -> None:
    engine = Late([])  # the engine lists by labels
    stack.shown = [CONFLICT]
    assert not converge.took_back(stack, engine)
    assert engine.removed == []


def test_another_failure_touches_nothing(stack: Stack) -> None:
    engine = Late([OURS])
    stack.shown = ["  the disk is full on the Docker engine's machine"]
    assert not converge.took_back(stack, engine)
    assert engine.removed == []
