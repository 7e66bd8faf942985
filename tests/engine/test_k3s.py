"""A hub in a k3s cluster of the stack's own, on the real engine: what changes touch, what is kept.

Cloud, machines and cluster are stand-ins: the cloud's and the cluster's objects are in a file, all
machines are one script behind sshd, and an API server on loopback answers what the project asks.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkout import Checkout
from tests.engine.clouds import FIXTURES, Host, StandInStack
from tests.servers.cluster_api import Cluster
from toolchain.plugins.cloud_standin import CLOUD
from toolchain.plugins.cloud_standin.cloud import FakeCloud
from toolchain.plugins.cloud_standin.rules import ADDRESS

AT = "127.0.0.7"
ACCOUNT_TOKEN = "token-of-the-account"
VOLUMES = {
    name: {"kind": "filesystem", "server": "10.20.0.9", "path": f"/{name}"}
    for name in ("homes", "shared")
}
CLUSTER: dict[str, Any] = {"pools": [{"name": "users", "machine_type": "any"}]}


class K3sStack(StandInStack):
    """A stranger's checkout whose cloud and cluster are a file, its machines one script."""

    def __init__(self, folder: Path, certificate: str) -> None:
        Checkout.__init__(self, folder, "tk3s", 61, {})
        self.host = Host(folder / "host", 8761, AT)
        data = {"ca.crt": certificate, "token": ACCOUNT_TOKEN}
        packed = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
        (self.host.folder / "account.json").write_text(json.dumps({"data": packed}))
        self.cloud = FakeCloud(folder / "cloud")
        self.environment |= {CLOUD: str(folder / "cloud"), ADDRESS: AT}
        tools = self.root / "toolchain/plugins"
        own = [tools / "cloud_standin/bin", tools / "bin/language", tools / "bin/kubernetes"]
        self.environment["PATH"] = ":".join([*map(str, own), os.environ["PATH"]])
        file = FIXTURES / "kubernetes.happy.k3s-openstack.yaml"
        values = yaml.safe_load(file.read_text())["config"]
        values.pop("jupyterhub:secrets")
        values["jupyterhub:volumes"] = VOLUMES
        self.file.write_text(yaml.safe_dump({"config": values}))
        ssh = {"user": "root", "port": self.host.port, "key_file": str(self.host.key)}
        self.merge(vm={"machine_type": "any", "ssh": ssh, "ready_within": 60}, cluster=CLUSTER)

    @property
    def kubectl(self) -> str:
        """What the first server was asked to do in its cluster."""
        file = self.host.folder / "kubectl"
        return file.read_text() if file.exists() else ""

    def kinds(self) -> dict[str, int]:
        """How many of each kind there are in the cloud."""
        found = [r["type"].rsplit(":", 1)[-1] for r in self.cloud.resources.values()]
        return {kind: found.count(kind) for kind in sorted(set(found))}


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A server's certificate that is its own authority."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=k3s"]
    words += ["-addext", f"subjectAltName=IP:{AT}"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, (folder / "cert.pem").read_text()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[K3sStack]:
    folder = tmp_path_factory.mktemp("k3s")
    context, text = certificate(folder)
    made = K3sStack(folder / "stack", text)
    cluster = Cluster()
    cluster.port = 6443
    with made.host.listening(), cluster.listening(AT, context):
        made.make("setup")
        made.up()
        yield made


def test_a_second_up_has_nothing_to_do_also_without_a_way_there(stack: K3sStack) -> None:
    stack.host.set("down")
    try:
        assert stack.changes() == {}
    finally:
        stack.host.set("down", on=False)
    assert stack.host.runs == 2  # a server and a worker, each once


def test_the_nodes_have_the_token_and_nobody_else(stack: K3sStack) -> None:
    (token,) = [value for name, value in stack.secrets().items() if name == "cluster_token"]
    assert (stack.host.folder / "token").read_text() == token
    exported = stack.pulumi("stack", "export", "--stack", stack.stack)
    for secret in (token, ACCOUNT_TOKEN):
        assert secret not in exported
        assert base64.b64encode(secret.encode()).decode() not in exported
    user_data = [r["inputs"].get("userData", "") for r in stack.cloud.resources.values()]
    assert not [text for text in user_data if token in str(text)]
    assert stack.outputs["api_endpoint"] == f"https://{AT}:6443"


def test_changes_touch_only_what_they_should(stack: K3sStack) -> None:
    """Several at once: a preview takes long, and none of these has to do with another."""
    before = stack.file.read_text()
    try:
        stack.merge(
            hub={"title": "Physics"},
            vm={"os": "debian-12", "cloud_init": {"packages": ["htop"]}},
            cluster={
                "version": "v1.35.5+k3s1",
                "snapshots": {"every": 2},
                "data": {"size": 70},
                "api_from": ["192.0.2.7/32", "198.51.100.0/24"],
            },
        )
        found = stack.changes()
    finally:
        stack.file.write_text(before)
    assert found == {
        "Release hub": "update",
        "Volume cluster-data0": "update",
        "Stash cluster-server-0-ready": "update",
        "Stash cluster-users-0-ready": "update",  # the version alone
        "SecGroupRule cluster-server-0-tcp-6443-198.51.100.0-24": "create",
    }


def test_two_servers_join_in_place(stack: K3sStack) -> None:
    before = stack.file.read_text()
    try:
        stack.merge(cluster={"servers": 3})
        found = stack.changes()
    finally:
        stack.file.write_text(before)
    assert found["Instance cluster-server-1"] == found["Instance cluster-server-2"] == "create"
    touched = {what: op for what, op in found.items() if op != "create"}
    assert touched == {
        "Stash cluster-server-0-ready": "update",  # told that it isn't alone any more
        "Stash cluster-nodes": "update",
        "Release proxy": "update",  # each server's address leads to it
    }


def test_a_worker_is_drained_before_its_vm_goes(stack: K3sStack) -> None:
    stack.merge(cluster={"pools": [{"name": "users", "machine_type": "any", "min": 0}]})
    stack.up()
    assert "drain -l pulumi-jupyterhub/node=users-0" in stack.kubectl
    assert stack.kinds()["Instance"] == 1


def test_a_destroy_keeps_the_disk_and_up_takes_it_again(stack: K3sStack) -> None:
    printed = stack.make("down")
    assert "make up" in printed
    # Claims and namespace are in the cluster's state, which is on the disk: only forgotten.
    inside = {"Namespace", "PersistentVolume", "PersistentVolumeClaim"}
    assert set(stack.kinds()) - inside == {"Volume", "VolumeAttach"}
    (disk,) = [id for id, r in stack.cloud.resources.items() if r["type"].endswith(":Volume")]
    stack.up()
    assert [id for id, r in stack.cloud.resources.items() if r["type"].endswith(":Volume")] == [
        disk
    ]


def test_the_stack_file_that_comes_along(stack: K3sStack) -> None:
    said = stack.make("preview", "STACK=k3s-openstack")
    assert "cluster-server-0" in said and "cluster-data0" in said
    assert "Not here: the official plugin for" in said
