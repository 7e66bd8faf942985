"""A quota that the data's disk can't hold is refused before anything is touched."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolchain.setup.steps import Problem
from toolchain.stacks import quotas
from toolchain.stacks.machine import Machine

XFS = "xfs    rw,nosuid,nodev,relatime,attr2,inode64,prjquota"


class Engine:
    """An engine whose homes are a volume that is there already."""

    def version(self) -> str:
        return "1"

    def has_volume(self, name: str) -> bool:
        return name.endswith("-homes")

    def call(self, method: str, path: str) -> Any:
        volume = {"Options": None, "Mountpoint": "/docker/volumes/homes/_data"}
        return {"DockerRootDir": "/docker"} if path == "/info" else volume


def stack(**limited: str | None) -> Any:
    facts = {"limited": limited, "disk_quota": 10**10}
    file = Path("Pulumi.class.yaml")
    return SimpleNamespace(facts=facts, deployment="jupyterhub-class", file=file)


def test_this_machines_disk_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {
        "/docker/volumes/homes/_data": "ext4   rw,relatime",
        "/docker/volumes": XFS.replace(",prjquota", ",noquota"),
        "/data/homes": XFS,
    }
    monkeypatch.setattr(quotas, "_here", lambda command: kinds[command.split()[-1]])
    with pytest.raises(Problem) as told:
        quotas.check(stack(homes=None, shared=None), Engine(), {})  # type: ignore[arg-type]
    text = str(told.value)
    assert "jupyterhub:hub.files.disk_quota: found 10000000000 bytes" in text
    assert "volumes.homes: /docker/volumes/homes/_data is on ext4" in text
    assert "volumes.shared: /docker/volumes is on xfs without prjquota" in text
    quotas.check(stack(homes="/data/homes"), Engine(), {})  # type: ignore[arg-type]
    quotas.check(stack(), Engine(), {})  # type: ignore[arg-type]


def test_a_machine_behind_ssh_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "ext4 rw"

    def run(_: Machine, command: str) -> Any:
        assert command == "findmnt -no FSTYPE,OPTIONS -T /srv/data/homes"
        return SimpleNamespace(stdout=said.encode())

    monkeypatch.setattr(Machine, "run", run)
    way = {"user": "u", "address": "192.0.2.1", "port": 22, "options": []}
    gate = {
        "type": "pulumi:index:Stash",
        "urn": "urn:pulumi:s::p::t::vm-ready",
        "inputs": {"input": {"ssh": way}},
    }
    state = {"deployment": {"resources": [gate]}}
    with pytest.raises(Problem, match="/srv/data/homes is on ext4"):
        quotas.check(stack(homes="/srv/data/homes"), None, state)
    said = XFS
    quotas.check(stack(homes="/srv/data/homes"), None, state)
    said = ""  # not there yet, or not reached: the hub looks when it starts
    quotas.check(stack(homes="/srv/data/homes"), None, state)
    quotas.check(stack(homes="/srv/data/homes"), None, {})
