"""Dask's workers on machines of their own: certificate, resources, what is forgotten of them."""

from __future__ import annotations

import functools
import json
import ssl
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pydantic import SecretStr

from components import config
from components.dask_cluster import tls
from tests.unit.test_cloud import CLOUDS, FIXTURES, KEY, VM, Recorder, surround
from toolchain.stacks import machine
from toolchain.stacks.machine import Machine

DASK_KEY = "ab" * 32


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surround(monkeypatch, tmp_path)


@functools.cache
def compose(name: str) -> Recorder:
    return composed(FIXTURES / name)


def composed(file: Path) -> Recorder:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="jupyterhub", stack="test", preview=False)
    pulumi.runtime.register_stack_transformation(recorder.transform)
    from stacks import vm

    stack = config.read_file(file)
    known = {"ssh_key": SecretStr(KEY), "dask_key": SecretStr(DASK_KEY)}
    secrets = stack.secrets.model_copy(update=known)

    @pulumi.runtime.test
    def run() -> Any:
        return pulumi.Output.all(
            **vm.compose("test", stack.model_copy(update={"secrets": secrets}))
        )

    run()
    recorder.listens = False
    return recorder


def containers(recorder: Recorder, part: str) -> dict[str, dict[str, Any]]:
    found = recorder.of("docker:index/container:Container")
    return {name: inputs for name, inputs in found.items() if part in name}


def test_the_same_key_gives_the_same_certificate() -> None:
    assert tls.pair(DASK_KEY) == tls.pair(DASK_KEY)
    assert tls.pair("cd" * 32).certificate != tls.pair(DASK_KEY).certificate
    assert tls.pair("cd" * 32).key != tls.pair(DASK_KEY).key


def handshake(server: tls.Pair, client: tls.Pair, folder: Path) -> bool:
    """Both ends as Dask makes them, each asking for the other's certificate, in memory."""

    def context(made: tls.Pair, is_server: bool) -> ssl.SSLContext:
        purpose = ssl.Purpose.CLIENT_AUTH if is_server else ssl.Purpose.SERVER_AUTH
        found = ssl.create_default_context(purpose, cadata=made.certificate)
        found.check_hostname, found.verify_mode = False, ssl.CERT_REQUIRED
        found.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
        file = folder / f"{is_server}.pem"
        file.write_text(made.certificate + made.key)
        found.load_cert_chain(file)
        return found

    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        context(client, False).wrap_bio(down, up),
        context(server, True).wrap_bio(up, down, server_side=True),
    ]
    done = set()
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return len(done) == 2


def test_only_the_stacks_own_certificate_is_let_in(tmp_path: Path) -> None:
    ours, others = tls.pair(DASK_KEY), tls.pair("cd" * 32)
    assert handshake(ours, ours, tmp_path)
    assert not handshake(ours, others, tmp_path)
    assert not handshake(others, ours, tmp_path)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_workers_are_on_vms_of_the_hubs_network(cloud: str) -> None:
    recorder = compose(f"{cloud}.happy.dask.yaml")
    assert set(recorder.of(VM[cloud])) == {"vm", "dask-vm0", "dask-vm1"}
    workers = containers(recorder, "-worker-")
    assert set(workers) == {f"dask-vm{m}-worker-{w}" for m in range(2) for w in range(3)}
    command = workers["dask-vm1-worker-2"]["command"]
    assert "tls://10.20.0.5:8786" in command  # the hub's private address
    assert command[command.index("--contact-address") + 1] == "tls://10.20.0.5:8792"
    assert workers["dask-vm1-worker-2"]["ports"] == [{"internal": 8792, "external": 8792}]
    networks = {"aws": "aws:ec2/vpc:Vpc", "gcp": "gcp:compute/network:Network"}
    kind = networks.get(cloud, "openstack:networking/network:Network")
    assert set(recorder.of(kind)) == {"vm"}  # one for all


RULES = {
    "aws": ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "cidrIpv4"),
    "gcp": ("gcp:compute/firewall:Firewall", "sourceRanges"),
    "openstack": ("openstack:networking/secGroupRule:SecGroupRule", "remoteIpPrefix"),
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_ports_are_open_to_the_private_network_only(cloud: str) -> None:
    kind, source = RULES[cloud]
    rules = compose(f"{cloud}.happy.dask.yaml").of(kind)
    own = {name: rule for name, rule in rules.items() if "8786" in name or "8790" in name}
    assert set(own) == {
        "vm-tcp-8786-10.20.0.0-24",
        "dask-vm0-tcp-8790-8792-10.20.0.0-24",
        "dask-vm1-tcp-8790-8792-10.20.0.0-24",
    }
    assert {str(rule[source]).strip("[]'") for rule in own.values()} == {"10.20.0.0/24"}
    assert not [name for name in rules if name.startswith("dask") and "-443-" in name]


@pytest.mark.parametrize("name", ["aws", "host"])
def test_the_scheduler_reaches_them_on_a_private_network(name: str) -> None:
    (guard,) = containers(compose(f"{name}.happy.dask.yaml"), "hub-guard").values()
    reach = json.loads(guard["uploads"][0]["content"])["network"]["reach"]
    assert (
        reach
        == {
            "aws": ["10.20.0.0/24:8790", "10.20.0.0/24:8791", "10.20.0.0/24:8792"],
            "host": [f"192.0.2.{host}:{port}" for host in (20, 21) for port in (8790, 8791)],
        }[name]
    )


def test_workers_are_on_machines_that_exist() -> None:
    workers = containers(compose("host.happy.dask.yaml"), "-worker-")
    assert set(workers) == {f"dask-{m}-worker-{w}" for m in ("big", "old") for w in range(2)}
    assert "tls://192.0.2.9:8786" in workers["dask-big-worker-0"]["command"]
    assert "tls://192.0.2.21:8791" in workers["dask-old-worker-1"]["command"]


def secret(value: dict[str, Any]) -> Any:
    """A secret's value; fails where it is none."""
    assert value["4dabf18193072939515e22adb298388d"] == "1b47061264138c4ac30d75fd1eb44270"
    return value["value"]


def test_everything_of_the_cluster_is_encrypted_and_notebooks_have_the_certificate() -> None:
    recorder = compose("host.happy.dask.yaml")
    made = tls.pair(DASK_KEY)
    for name, inputs in containers(recorder, "dask-").items():
        if name == "dask-ingress":
            continue
        envs = secret(inputs["envs"])
        assert "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=True" in envs, name
        assert f"DASK_DISTRIBUTED__COMM__TLS__WORKER__KEY={made.key}" in envs, name
    uploads = recorder.of("docker:index/container:Container")["hub"]["uploads"]
    uploads = uploads if isinstance(uploads, list) else secret(uploads)
    settings = next(u for u in uploads if u["file"].endswith("settings.json"))["content"]
    settings = settings if isinstance(settings, str) else secret(settings)
    assert '"DASK_SCHEDULER_ADDRESS": "tls://10.231.0.1:8786"' in settings
    assert "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY" in settings
    assert "TLS__WORKER__KEY" not in settings
    assert "REQUIRE_ENCRYPTION" not in settings  # a LocalCluster of one's own is plain


def resource(kind: str, name: str, *dependencies: str, **inputs: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:t::jupyterhub::{kind}::{name}"
    needs = [f"urn:pulumi:t::jupyterhub::pulumi:index:Stash::{d}" for d in dependencies]
    return {"urn": urn, "type": kind, "dependencies": needs, "inputs": inputs}


def way(address: str) -> dict[str, Any]:
    return {"ssh": {"user": "u", "address": address, "port": 22, "options": ["-i", "key"]}}


STATE = {
    "deployment": {
        "resources": [
            resource("pulumi:index:Stash", "dask-vm0-ready", input=way("10.0.0.2")),
            resource("pulumi:index:Stash", "vm-ready", input=way("10.0.0.1")),
            resource("docker:index/container:Container", "hub", "vm-ready"),
            resource("docker:index/container:Container", "dask-vm0-worker-0", "dask-vm0-ready"),
        ]
    }
}


def names(urns: list[str]) -> list[str]:
    return [urn.rsplit("::", 1)[1] for urn in urns]


def test_a_dead_machine_is_forgotten_alone() -> None:
    hub = Machine.of(STATE)
    assert hub is not None and hub.address == "10.0.0.1"  # not the first gate of the state
    assert names(machine.inside(STATE)) == ["hub"]
    ((gate, other),) = Machine.others(STATE).items()
    assert other.address == "10.0.0.2"
    assert names(machine.behind(STATE, gate)) == ["dask-vm0-ready", "dask-vm0-worker-0"]
