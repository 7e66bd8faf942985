"""Every example, from the wheel and through the engine.

On Docker it is this machine's engine. Clouds are the stand-in's, their machine a script behind a
real sshd (tests/engine/clouds.py): what the examples make there is planned and made, not run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.checkout import ENGINE, ROOT
from tests.client import eventually
from tests.engine.clouds import Host, docker_too
from tests.engine.consumer import SECRETS, Environment, Example
from toolchain.plugins.cloud_standin.rules import ADDRESS

SERVER = ["perl", "-MIO::Socket", "-e"]
HELLO = r"""
my $s = IO::Socket::INET->new(LocalAddr => "0.0.0.0:80", Listen => 5, ReuseAddr => 1) or die;
while (my $c = $s->accept) { while (<$c>) { last if /^\r?$/ }
print $c "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"; close $c }
"""


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/hub/health", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_each_example_is_tested_and_explained() -> None:
    examples = {path.parent for path in (ROOT / "examples").rglob("Pulumi.yaml")}
    names = {str(path.relative_to(ROOT / "examples")) for path in examples}
    assert names == {
        "existing-network",
        "own-container",
        "shared-volume",
        "stack-reference/hub",
        "stack-reference/platform",
        "two-clouds",
        "vm-alone",
    }
    listed = (ROOT / "examples/README.md").read_text()
    for name in names:
        folder = ROOT / "examples" / name.split("/")[0]
        assert (folder / "README.md").is_file()
        assert f"({folder.name})" in listed


def test_a_proxy_in_front_of_a_container(consumer: Environment, tmp_path: Path) -> None:
    config = {
        "image": "debian:bookworm-slim",
        "command": [*SERVER, HELLO],
        "port": "8494",
        "api_port": "8493",
    }
    example = Example(tmp_path, "own-container", consumer, config)
    with example.up() as outputs:
        url = outputs["url"]
        assert eventually("the route", lambda: requests.get(url, timeout=5).text == "hello", 20)
        assert set(example.changes()) == {"same"}


def test_two_hubs_share_a_folder(consumer: Environment, tmp_path: Path) -> None:
    config = {"secrets": SECRETS, "first_port": "9400"}
    example = Example(tmp_path, "shared-volume", consumer, config)
    with example.up() as outputs:
        assert eventually("two hubs", lambda: all(map(answers, outputs.values())), 60)
        hubs = [ENGINE.containers.get(name) for name in ("course-try-course", HUB_OF_ASSISTANTS)]
        hubs[0].exec_run(["sh", "-c", "echo hello > /srv/shared/from-course"], user="root")
        assert hubs[1].exec_run(["cat", "/srv/shared/from-course"]).output == b"hello\n"
        homes = [hub.exec_run(["stat", "-c", "%d:%i", "/srv/homes"]).output for hub in hubs]
        assert homes[0] != homes[1]
        assert set(example.changes()) == {"same"}
    remove_volumes("course-try", "assistants-try")


HUB_OF_ASSISTANTS = "assistants-try-assistants"


def test_a_hub_is_fed_by_another_stack(consumer: Environment, tmp_path: Path) -> None:
    platform = Example(tmp_path, "stack-reference/platform", consumer, {})
    config = {
        "platform": "organization/reference-platform/try",
        "secrets": SECRETS,
        "port": "9410",
    }
    with platform.up() as given:
        example = Example(tmp_path, "stack-reference/hub", consumer, config)
        with example.up() as outputs:
            assert eventually("the hub", lambda: answers(outputs["url"]), 60)
            assert "Physics" in requests.get(f"{outputs['url']}/hub/login", timeout=5).text
            hub = ENGINE.containers.get("reference-try-hub")
            mounted = {m["Destination"]: m["Name"] for m in hub.attrs["Mounts"] if "Name" in m}
            assert mounted["/srv/homes"] == given["homes"]
            assert set(example.changes()) == {"same"}
    remove_volumes("platform-try", "reference-try")


def remove_volumes(*deployments: str) -> None:
    """What a destroy leaves on purpose."""
    for volume in ENGINE.volumes.list():
        if volume.name.startswith(tuple(f"{name}-" for name in deployments)):
            volume.remove()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(tmp_path_factory.mktemp("machine") / "host", 8760)
    with host.listening():
        yield host


def in_a_cloud(
    folder: Path, name: str, environment: Environment, machine: Host, **config: Any
) -> Example:
    """An example on the stand-in: its cloud is a file, and there is no engine behind docker."""
    ssh = {"allow_from": ["192.0.2.7/32"], "user": "root"}
    ssh |= {"port": machine.port, "key_file": str(machine.key)}
    hub = {"login": {"kind": "roster", "users": ["anna"]}}
    values = {"ssh": ssh, "hub": hub, "secrets": SECRETS, "email": "ana@example.org"}
    made = Example(folder, name, environment, values | config, cloud=folder / "cloud")
    made.environment["PATH"] = f"{docker_too(folder)}:{made.environment['PATH']}"
    return made


def test_a_hub_in_a_network_that_exists(
    consumer: Environment, machine: Host, tmp_path: Path
) -> None:
    config = {"zone": "eu-central-1a", "vpc": "vpc-1", "subnet": "subnet-1"}
    example = in_a_cloud(tmp_path, "existing-network", consumer, machine, **config)
    with example.up() as outputs:
        assert outputs["url"] == "https://127-0-0-1.sslip.io"
        state = json.loads(example.pulumi("stack", "export", "--stack", "try"))
        made = {r["type"]: r for r in state["deployment"]["resources"]}
        assert "aws:ec2/vpc:Vpc" not in made
        assert made["aws:ec2/instance:Instance"]["inputs"]["subnetId"] == "subnet-1"
        assert set(example.changes()) == {"same"}


def test_a_vm_alone(consumer: Environment, machine: Host, tmp_path: Path) -> None:
    config = {"zone": "europe-west1-b", "project": "my-project"}
    example = in_a_cloud(tmp_path, "vm-alone", consumer, machine, **config)
    with example.up() as outputs:
        assert outputs["ssh_command"].endswith(f"-p {machine.port} root@127.0.0.1")
        assert set(example.changes()) == {"same"}


def test_two_hubs_on_two_clouds(consumer: Environment, machine: Host, tmp_path: Path) -> None:
    config = {"aws_zone": "eu-central-1a", "openstack_address_pool": "public"}
    example = in_a_cloud(tmp_path, "two-clouds", consumer, machine, **config)
    other = Host(tmp_path / "other", machine.port, "127.0.0.2", machine.key)
    example.environment[f"{ADDRESS}_OPENSTACK"] = other.address
    with other.listening(), example.up() as outputs:
        assert outputs == {
            "aws_url": "https://127-0-0-1.sslip.io",
            "openstack_url": "https://127-0-0-2.sslip.io",
        }
        assert (machine.runs, other.runs) >= (1, 1)
        assert set(example.changes()) == {"same"}


def test_a_fault_in_a_program_is_one_error_before_any_resource(
    consumer: Environment, tmp_path: Path
) -> None:
    example = Example(tmp_path, "shared-volume", consumer, {"secrets": {"cookie_secret": 7}})
    printed = example.pulumi("up", "--yes", "--skip-preview", "--stack", "try", check=False)
    assert "HubSecretsArgs has 2 mistakes. Nothing was changed." in printed
    assert "HubSecretsArgs.crypt_key: missing" in printed
    assert "Traceback" not in printed
    state = json.loads(example.pulumi("stack", "export", "--stack", "try"))
    assert not [r for r in state["deployment"].get("resources", []) if "jupyterhub" in r["type"]]
