"""What a user who isn't root is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolchain.setup import root_needs

READY = root_needs.Machine(
    user="anna",
    has_venv=True,
    has_docker=True,
    runs_docker=True,
    may_use_docker=True,
    has_systemd=True,
)


def test_nothing_is_asked_for_where_nothing_is_missing() -> None:
    assert root_needs.commands(READY, docker_here=True) == []


def test_a_bare_machine_needs_everything_in_one_command() -> None:
    bare = replace(READY, has_venv=False, has_docker=False, runs_docker=False, may_use_docker=False)
    assert root_needs.commands(bare, docker_here=True) == [
        "apt-get update",
        "apt-get install -y python3-venv docker.io iptables",
        "usermod -aG docker anna",
        "systemctl enable --now docker",
    ]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ({"may_use_docker": False}, ["usermod -aG docker anna"]),
        ({"runs_docker": False}, ["systemctl enable --now docker"]),
        ({"has_venv": False}, ["apt-get update", "apt-get install -y python3-venv"]),
    ],
)
def test_one_thing_missing(missing: dict[str, bool], expected: list[str]) -> None:
    assert root_needs.commands(replace(READY, **missing), docker_here=True) == expected


def test_a_hub_elsewhere_needs_no_engine_here() -> None:
    without = replace(READY, has_docker=False, runs_docker=False, may_use_docker=False)
    assert root_needs.commands(without, docker_here=False) == []
