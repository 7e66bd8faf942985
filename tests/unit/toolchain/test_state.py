"""What is read from a state and from locks, before an `up` touches anything."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from toolchain.stacks import state as states

ROLE = "pulumi-jupyterhub.role"


def exported(*resources: dict[str, Any], **deployment: Any) -> dict[str, Any]:
    return {"deployment": {"resources": list(resources), **deployment}}


def resource(kind: str, name: str, identity: str, **more: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:local::jupyterhub::{kind}::{name}"
    return {"type": kind, "urn": urn, "id": identity, **more}


VOLUME, CONTAINER = "docker:index/volume:Volume", "docker:index/container:Container"
STATE = exported(
    resource(VOLUME, "homes", "jupyterhub-local-homes", protect=True),
    resource(VOLUME, "proxy-routes", "jupyterhub-local-routes"),
    resource(CONTAINER, "hub", "c0ffee"),
    resource("docker:index/network:Network", "hub-users", "beef"),
)


def test_only_protected_volumes_are_kept() -> None:
    (kept,) = states.kept_volumes(STATE)
    assert (kept.short, kept.name) == ("homes", "jupyterhub-local-homes")
    assert states.volumes(STATE) == ["jupyterhub-local-homes", "jupyterhub-local-routes"]


def test_only_what_was_protected_is_released() -> None:
    """A purge deletes what it names; what is only retained is on a disk that it names."""
    disk = resource("aws:ebs/volume:Volume", "data", "vol-1", protect=True, retainOnDelete=True)
    folder = resource(VOLUME, "homes", "homes", protect=False, retainOnDelete=True)
    claim = resource("kubernetes:core/v1:PersistentVolumeClaim", "homes", "ns/homes")
    claim |= {"protect": True, "retainOnDelete": True}
    before = exported(disk, folder, claim, manifest={"version": "v3"}) | {"version": 3}
    free = states.released(before)
    assert states.resources(free) == [
        disk | {"protect": False, "retainOnDelete": False},
        folder,
        claim | {"protect": False},  # users' servers hold it
    ]
    assert free["version"] == 3 and free["deployment"]["manifest"] == {"version": "v3"}
    assert disk["protect"], "the state that was given is as it was"


@pytest.mark.parametrize("empty", [{}, {"deployment": None}, {"deployment": {"resources": None}}])
def test_an_empty_state_has_nothing(empty: dict[str, Any]) -> None:
    assert states.resources(empty) == []
    assert states.kept_volumes(empty) == []
    assert not states.has_pending_operations(empty)


def test_pending_operations_are_seen() -> None:
    assert states.has_pending_operations(exported(pending_operations=[{"type": "creating"}]))


def test_orphans_are_what_the_state_does_not_know_but_never_a_users_server() -> None:
    there = [
        {"Id": "c0ffee", "Labels": {ROLE: "hub"}},
        {"Id": "dead", "Labels": {ROLE: "proxy"}},
        {"Id": "anna", "Labels": {ROLE: "user"}},
    ]
    assert [container["Id"] for container in states.orphans(STATE, there)] == ["dead"]


def test_orphan_networks() -> None:
    there = [{"Id": "beef"}, {"Id": "old"}]
    assert states.orphan_networks(STATE, there) == [{"Id": "old"}]


def sealed(value: Any) -> dict[str, str]:
    return {"4dabf18193072939515e22adb298388d": "…", "plaintext": json.dumps(value)}


def test_secrets_of_a_lost_stack_file_are_found_in_the_state() -> None:
    content = json.dumps({"class_password": "new", "cookie_secret": "c", "roster_key": None})
    uploads = [
        {"file": "/other", "content": "x"},
        {"file": states.SECRETS_FILE, "content": content},
    ]
    outputs = {"class_password": sealed("old"), "admin_password": sealed("a"), "url": "http://x"}
    full = exported(
        resource("pulumi:pulumi:Stack", "s", "", outputs=outputs),
        resource(CONTAINER, "hub", "c0ffee", inputs={"uploads": sealed(uploads)}),
    )
    found = states.secrets_in_use(full)
    assert found["class_password"] == "new"
    assert found["admin_password"] == "a"
    assert found["cookie_secret"] == "c"
    assert "roster_key" not in found
    assert states.secrets_in_use(STATE) == {}


def write_lock(backend: Path, pid: int, host: str = "") -> None:
    folder = backend / ".pulumi" / "locks" / "organization" / "jupyterhub" / "local"
    folder.mkdir(parents=True)
    content = {"pid": pid, "hostname": host or socket.gethostname()}
    (folder / "some.json").write_text(json.dumps(content))


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_lock_of_a_dead_process_is_dead(tmp_path: Path) -> None:
    write_lock(tmp_path, dead_pid())
    (lock,) = states.locks(f"file://{tmp_path}", "local")
    assert lock.is_dead
    assert states.locks(f"file://{tmp_path}", "other") == []


def test_a_number_that_is_another_programs_by_now_is_dead(tmp_path: Path) -> None:
    write_lock(tmp_path, os.getpid())  # this is Python, not pulumi
    (lock,) = states.locks(f"file://{tmp_path}", "local")
    assert lock.is_dead


def test_a_lock_of_another_machine_is_left_alone(tmp_path: Path) -> None:
    write_lock(tmp_path, dead_pid(), host="elsewhere")
    (lock,) = states.locks(f"file://{tmp_path}", "local")
    assert not lock.is_dead


def test_locks_of_a_remote_backend_are_not_ours_to_judge() -> None:
    assert states.locks("https://api.pulumi.com", "local") == []
