"""What a destroy or a rebuild stops on a machine: this deployment's containers, nobody else's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.checkout import DEPLOYMENT, ENGINE, ROLE
from toolchain.stacks import vm
from toolchain.stacks.machine import Machine
from toolchain.stacks.stack import Stack


class Here:
    """This machine in place of one behind ssh."""

    def run(self, command: str, given: bytes = b"", seconds: float = 60) -> Any:
        return subprocess.run(["bash", "-c", command], capture_output=True, check=False)


@pytest.fixture
def names() -> Iterator[set[str]]:
    wanted = {f"tstop-{role}": (role, "jupyterhub-tstop") for role in ("guard", "hub", "user")}
    wanted["tstop-else"] = ("hub", "jupyterhub-telse")
    made = [
        ENGINE.containers.run(
            "debian:bookworm-slim",
            ["sleep", "600"],
            name=name,
            detach=True,
            init=True,
            labels={DEPLOYMENT: deployment, ROLE: role},
        )
        for name, (role, deployment) in wanted.items()
    ]
    yield set(wanted)
    for container in made:
        if container.name in {c.name for c in ENGINE.containers.list(all=True)}:
            container.remove(force=True)


def test_only_our_own_and_no_user_is_left(names: set[str]) -> None:
    assert vm.stop_all(Stack("tstop"), cast(Machine, Here()))
    found = {c.name: c.status for c in ENGINE.containers.list(all=True) if c.name in names}
    assert found == {"tstop-guard": "exited", "tstop-hub": "exited", "tstop-else": "running"}
