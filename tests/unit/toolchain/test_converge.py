"""A container of this stack that its state has lost is taken back; anybody else's is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from toolchain.setup.engine import Engine
from toolchain.setup.steps import Problem
from toolchain.stacks import converge
from toolchain.stacks.stack import Stack

OURS = {"Id": "1", "Labels": {"pulumi-jupyterhub.role": "hub"}}
CONFLICT = (
    "  a container named jupyterhub-class-hub is there already and does not belong to this stack"
)
OFFICIAL = (
    'Conflict. The container name "/jupyterhub-class-hub" is already in use by container "0123".'
)
NETWORK = (
    "  a network named jupyterhub-class-users is there already and does not belong to this stack",
    "network with name jupyterhub-class-users already exists",
)


class Late(Engine):
    """An engine that lists a container some looks after its name was given away."""

    def __init__(self, containers: list[dict[str, Any]], looks: int = 0) -> None:
        super().__init__()
        self.there = containers
        self.looks = looks
        self.removed: list[str] = []
        self.lost_networks: list[dict[str, Any]] = []

    def has_container(self, name: str) -> bool:
        assert name == "jupyterhub-class-hub"
        self.looks -= 1
        return self.looks < 0

    def containers(self, deployment: str, role: str | None = None) -> list[dict[str, Any]]:
        assert deployment == "jupyterhub-class"
        return self.there if self.looks < 0 else []

    def networks(self, deployment: str) -> list[dict[str, Any]]:
        return self.lost_networks

    def remove(self, kind: str, identity: str) -> None:
        self.removed.append(identity)

    def remove_container(self, identity: str, grace: int = 10) -> None:
        self.removed.append(identity)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    found = Stack("class")
    monkeypatch.setattr(found, "exported", dict)
    return found


@pytest.mark.parametrize("told", [CONFLICT, OFFICIAL])
@pytest.mark.parametrize("looks", [0, 3])
def test_our_container_is_taken_back(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, told: str, looks: int
) -> None:
    monkeypatch.setattr(converge.time, "sleep", lambda _: None)
    engine = Late([OURS], looks)
    stack.shown = ["  ✓ Network hub-users: created", told]
    assert converge.took_back(stack, engine)
    assert engine.removed == ["1"]


@pytest.mark.parametrize("told", NETWORK)
def test_our_network_is_taken_back(stack: Stack, told: str) -> None:
    engine = Late([])
    engine.lost_networks = [{"Id": "2"}]
    stack.shown = [told]
    assert converge.took_back(stack, engine)
    assert engine.removed == ["2"]


def test_a_container_without_our_labels_is_left_alone(stack: Stack) -> None:
    engine = Late([])  # the engine lists by labels
    stack.shown = [CONFLICT]
    assert not converge.took_back(stack, engine)
    assert engine.removed == []


def test_a_name_that_nothing_has_is_told_with_the_way_out(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converge, "LATE", 0)
    stack.shown = [CONFLICT]
    with pytest.raises(Problem, match=r"Restart it .*no data is lost"):
        converge.took_back(stack, Late([], looks=9))


def test_another_failure_touches_nothing(stack: Stack) -> None:
    engine = Late([OURS])
    stack.shown = ["  the disk is full on the Docker engine's machine"]
    assert not converge.took_back(stack, engine)
    assert engine.removed == []
