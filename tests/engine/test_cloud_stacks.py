"""Cloud stacks on the real engine, on a stand-in cloud: what every change does, what is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clouds import CloudStack

CLOUDS = ("aws", "gcp", "openstack")
RULE = {
    "aws": "SecurityGroupIngressRule",
    "gcp": "Firewall",
    "openstack": "SecGroupRule",
}
DISK = {"aws": "Volume", "gcp": "Disk", "openstack": "Volume"}
ATTACHMENT = {"aws": "VolumeAttachment", "gcp": "AttachedDisk", "openstack": "VolumeAttach"}
HUB = {"Container hub": "replace"}
GATE = {"Stash vm-ready": "update"}


@pytest.fixture(scope="module", params=CLOUDS)
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CloudStack]:
    number = CLOUDS.index(request.param)
    made = CloudStack(tmp_path_factory.mktemp(request.param) / "stack", request.param, 20 + number)
    with made.host.listening():
        made.make("setup")
        made.up()
        yield made


def expected(stack: CloudStack, change: str) -> dict[str, str]:
    """The table "what a change does" (docs/changes.md), as steps of a preview."""
    cloud = stack.cloud_name
    return {
        "hub.title": HUB,
        "hub.login.users": HUB,
        "hub.culling": HUB,
        "vm.ssh.allow_from": {f"{RULE[cloud]} vm-tcp-{stack.host.port}-198.51.100.0-24": "create"},
        "vm.ingress": {f"{RULE[cloud]} vm-tcp-8787-0.0.0.0-0": "create"},
        "vm.ssh.keys": GATE,
        "vm.software": GATE,
        "vm.os": {},
        "vm.image": {},
        "vm.cloud_init": {},
        "vm.ready_within": GATE,
        "vm.machine_type": {"Instance vm": "update"},
        "volumes.data.size": {f"{DISK[cloud]} data": "update"} | GATE,
        "volumes.data.protect": {},  # of the state alone
        "volumes.more": {
            "SharedVolume scratch": "create",
            f"{DISK[cloud]} scratch": "create",
            f"{ATTACHMENT[cloud]} scratch": "create",
        }
        | GATE,
        "dns": {"Container proxy": "replace"} | HUB,
    }[change]


SETTINGS: dict[str, dict[str, Any]] = {
    "hub.title": {"hub": {"title": "Physics"}},
    "hub.login.users": {"hub": {"login": {"users": ["anna", "ben"]}}},
    "hub.culling": {"hub": {"culling": {"timeout": 600}}},
    "vm.ssh.allow_from": {"vm": {"ssh": {"allow_from": ["192.0.2.7/32", "198.51.100.0/24"]}}},
    "vm.ingress": {"vm": {"ingress": [{"ports": 8787}]}},
    "vm.ssh.keys": {"vm": {"ssh": {"keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBTqEDAI a"]}}},
    "vm.software": {"vm": {"software": {"cvmfs": ["sft.cern.ch"]}}},
    "vm.os": {"vm": {"os": "debian-12"}},
    "vm.image": {"vm": {"image": "another"}},
    "vm.cloud_init": {"vm": {"cloud_init": {"packages": ["htop"]}}},
    "vm.ready_within": {"vm": {"ready_within": 90}},
    "vm.machine_type": {"vm": {"machine_type": "larger"}},
    "volumes.data.size": {"volumes": {"data": {"size": 70}}},
    "volumes.data.protect": {"volumes": {"data": {"protect": False}}},
    "volumes.more": {"volumes": {"more": {"scratch": {"kind": "block", "encryption": "provider"}}}},
    "dns": {"dns": {"service": "nip.io"}},
}

# Those whose effects can't hide each other's share a preview.
TOGETHER = (
    ("vm.ssh.allow_from", "vm.ingress", "vm.machine_type", "vm.image"),
    ("vm.os", "vm.cloud_init", "volumes.data.protect"),
)
ALONE = [(change,) for change in SETTINGS if not any(change in each for each in TOGETHER)]


def test_a_second_up_has_nothing_to_do(stack: CloudStack) -> None:
    assert stack.changes() == {}
    assert stack.host.runs == 1


@pytest.mark.parametrize("changes", [*ALONE, *TOGETHER], ids="+".join)
def test_a_change_does_exactly_what_its_table_says(
    stack: CloudStack, changes: tuple[str, ...]
) -> None:
    before = stack.file.read_text()
    try:
        for change in changes:
            settings = json.loads(json.dumps(SETTINGS[change]))
            if change == "volumes.more" and stack.cloud_name == "openstack":
                settings["volumes"]["more"]["scratch"]["encryption"] = "none"
            stack.merge(**settings)
        found = stack.changes()
    finally:
        stack.file.write_text(before)
    assert found == {key: op for each in changes for key, op in expected(stack, each).items()}


def test_labels_change_in_place(stack: CloudStack) -> None:
    before = stack.file.read_text()
    try:
        stack.merge(site={"labels": {"course": "physics"}})
        found = stack.changes()
    finally:
        stack.file.write_text(before)
    assert set(found.values()) == {"update"}
    assert f"{DISK[stack.cloud_name]} data" in found


def test_a_grown_disk_and_a_key_reach_the_machine(stack: CloudStack) -> None:
    runs = stack.host.runs
    stack.merge(volumes={"data": {"size": 80}})
    stack.up()
    assert stack.host.runs == runs + 1
    assert "jh-data:80" in stack.host.desired
    assert stack.changes() == {}


def test_a_machine_that_never_gets_ready_says_why(stack: CloudStack) -> None:
    before = stack.file.read_text()
    stack.host.set("broken")
    try:
        stack.merge(vm={"software": {"updates": False}})
        failed = stack.up(check=False)
    finally:
        stack.host.set("broken", on=False)
        stack.file.write_text(before)
    assert "127.0.0.1 is not ready: packages could not be installed" in failed
    assert "E: Unable to fetch some archives" in failed
    stack.up()  # the gate is still closed for the wrong state, and opens for the right one
    assert stack.changes() == {}


def test_a_failed_machine_leaves_nothing_half_made(stack: CloudStack) -> None:
    """The cloud has no room: the next up goes on from there, with the same disk."""
    disk = stack.id_of(DISK[stack.cloud_name])
    kind = (
        f"{stack.cloud_name}:{'ec2' if stack.cloud_name == 'aws' else 'compute'}/instance:Instance"
    )
    failure = {"type": kind, "operation": "create", "message": "no capacity left", "times": 1}
    stack.edit_cloud(lambda known: known.update(fail=[failure]))
    stack.merge(vm={"rebuild": 1})
    assert "no capacity left" in stack.up(check=False)
    stack.up()
    assert stack.id_of(DISK[stack.cloud_name]) == disk
    assert stack.changes() == {}


def test_rebuild_makes_a_new_vm_on_the_same_data(stack: CloudStack) -> None:
    disk, vm = stack.id_of(DISK[stack.cloud_name]), stack.id_of("Instance")
    hub = stack.resources()["docker:index/container:Container::hub"]["id"]
    stack.merge(vm={"os": "debian-12", "cloud_init": {"packages": ["htop"]}})
    before = stack.cloud.resources[vm]["inputs"]
    stack.host.set("down")  # the old one is dead, the new one comes up
    printed = stack.make("rebuild", check=False)
    assert "does not answer by ssh within 60 s" in printed
    stack.host.set("down", on=False)
    stack.up()
    new = stack.id_of("Instance")
    assert new != vm
    assert stack.id_of(DISK[stack.cloud_name]) == disk
    assert stack.resources()["docker:index/container:Container::hub"]["id"] != hub
    user_data = {"aws": "userDataBase64", "gcp": "metadata", "openstack": "userData"}
    key = user_data[stack.cloud_name]
    assert stack.cloud.resources[new]["inputs"][key] != before[key]  # the new image's own
    assert stack.changes() == {}


def test_destroy_keeps_the_disk_and_up_takes_it_again(stack: CloudStack) -> None:
    disk = stack.id_of(DISK[stack.cloud_name])
    printed = stack.make("down")
    assert disk in printed and "make up" in printed
    assert "Left as they are: " in printed
    assert not re.search(r"(Image \S+|Volume (homes|state)): deleted", printed)
    left = {entry["type"] for entry in stack.cloud.resources.values()}
    # What was on the VM or hung on it went with it: the stand-in's cloud doesn't know that.
    apart = {kind.split(":")[-1] for kind in left if not kind.startswith("docker:")}
    assert apart - {ATTACHMENT[stack.cloud_name], "EipAssociation"} == {DISK[stack.cloud_name]}
    stack.up()
    assert stack.id_of(DISK[stack.cloud_name]) == disk
    assert "/srv/data /dev/disk/by-id" in stack.host.desired


def test_an_unreachable_machine_does_not_stop_a_destroy(stack: CloudStack) -> None:
    stack.host.set("down")
    try:
        printed = stack.make("down", timeout=120)
    finally:
        stack.host.set("down", on=False)
    assert "Kept" in printed
    stack.up()


def test_a_disk_is_adopted_by_its_id(stack: CloudStack, tmp_path: Path) -> None:
    """The state is gone; the data is taken over by a new stack."""
    disk = stack.id_of(DISK[stack.cloud_name])
    known = stack.cloud.resources[disk]["inputs"]
    stack.pulumi("stack", "rm", "--force", "--yes", "--preserve-config", "--stack", stack.stack)
    stack.edit_cloud(lambda cloud: cloud.update(resources={disk: cloud["resources"][disk]}))
    stack.merge(volumes={"data": {"volume": disk, "size": int(known["size"])}})
    stack.make("setup")
    stack.up()
    assert stack.id_of(DISK[stack.cloud_name]) == disk
    assert stack.changes() == {}


def test_the_standin_is_never_taken_for_the_cloud(stack: CloudStack) -> None:
    environment = dict(stack.environment)
    for name in ("PULUMI_JUPYTERHUB_STANDIN_CLOUD",):
        stack.environment.pop(name)
    try:
        failed = stack.up("--refresh", check=False)
        assert "it can only preview" in failed
        refused = stack.make("up", check=False)
        assert "is a test's" in refused and "exists in no cloud" in refused
    finally:
        stack.environment = environment


def test_no_secret_is_in_the_state_in_plain_text(stack: CloudStack) -> None:
    exported = stack.pulumi("stack", "export", "--stack", stack.stack)
    for name, value in stack.secrets().items():
        assert value not in exported, name
        assert json.dumps(value)[1:-1] not in exported, name
