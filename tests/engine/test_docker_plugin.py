"""The docker stand-in, driven over its protocol against the real Docker engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import grpc
import pytest
from docker.errors import DockerException, NotFound
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from toolchain.plugins.docker.server import DockerProvider
from toolchain.plugins.provider.values import UNKNOWN, from_struct, to_struct

CHECKOUT = Path(__file__).resolve().parents[2]
IMAGE = "debian:bookworm-slim"
SLEEP = ["sleep", "1000"]
CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
REMOTE_IMAGE = "docker:index/remoteImage:RemoteImage"
BUILT_IMAGE = "docker:index/image:Image"


class Thing:
    """A resource that was made, and the calls that the engine makes for it."""

    def __init__(self, plugin: Plugin, token: str, id: str, inputs: dict, outputs: dict) -> None:
        self.plugin, self.token, self.id = plugin, token, id
        self.inputs, self.outputs = inputs, outputs

    @property
    def _request(self) -> dict[str, Any]:
        return {"id": self.id, "urn": self.plugin.urn(self.token)}

    def refresh(self) -> bool:
        """Takes over what is there; whether it still is."""
        found = self.plugin.stub.Read(
            provider_pb2.ReadRequest(
                **self._request,
                inputs=to_struct(self.inputs),
                properties=to_struct(self.outputs),
            )
        )
        if found.id:
            self.inputs, self.outputs = from_struct(found.inputs), from_struct(found.properties)
        return bool(found.id)

    def diff(self, **news: Any) -> dict[str, str]:
        """Changed properties, and whether they `update` or `replace`."""
        chosen = self.inputs.get("__defaults", [])
        left_out = {"__defaults", "mustRun", *chosen}
        named = {k: v for k, v in self.inputs.items() if k not in left_out}
        inputs, _ = self.plugin.check(self.token, named | news, self.inputs)
        self.difference = self.plugin.stub.Diff(
            provider_pb2.DiffRequest(
                **self._request,
                olds=to_struct(self.outputs),
                old_inputs=to_struct(self.inputs),
                news=to_struct(inputs),
            )
        )
        replaces = set(self.difference.replaces)
        changes = self.difference.diffs
        return {key: "replace" if key in replaces else "update" for key in changes}

    def update(self, **news: Any) -> None:
        inputs = {k: v for k, v in (self.inputs | news).items() if v is not None}
        made = self.plugin.stub.Update(
            provider_pb2.UpdateRequest(
                **self._request,
                olds=to_struct(self.outputs),
                old_inputs=to_struct(self.inputs),
                news=to_struct(inputs),
            )
        )
        self.inputs, self.outputs = inputs, from_struct(made.properties)

    def delete(self) -> None:
        self.plugin.stub.Delete(
            provider_pb2.DeleteRequest(**self._request, old_inputs=to_struct(self.inputs))
        )


class Plugin:
    """The plugin, served over gRPC in this process."""

    def __init__(self, stub: Any) -> None:
        self.stub = stub
        self.made: list[Thing] = []

    def urn(self, token: str) -> str:
        return f"urn:pulumi:test::test::{token}::plugin-test"

    def check(self, token: str, news: dict, olds: dict | None = None) -> tuple[dict, list[str]]:
        answer = self.stub.Check(
            provider_pb2.CheckRequest(
                urn=self.urn(token),
                news=to_struct(news),
                olds=to_struct(olds or {}),
                randomSeed=uuid.uuid4().bytes,
            )
        )
        return from_struct(answer.inputs), [failure.reason for failure in answer.failures]

    def preview(self, token: str, **inputs: Any) -> dict:
        checked, failures = self.check(token, inputs)
        assert not failures
        made = self.stub.Create(
            provider_pb2.CreateRequest(
                urn=self.urn(token), properties=to_struct(checked), preview=True
            )
        )
        return from_struct(made.properties)

    def create(self, token: str, **inputs: Any) -> Thing:
        checked, failures = self.check(token, inputs)
        assert not failures
        try:
            made = self.stub.Create(
                provider_pb2.CreateRequest(urn=self.urn(token), properties=to_struct(checked))
            )
        except grpc.RpcError as error:
            left = failed_init(error)
            if left:
                self.made.append(Thing(self, token, left.id, checked, checked))
            raise
        thing = Thing(self, token, made.id, checked, from_struct(made.properties))
        self.made.append(thing)
        return thing

    def container(self, **inputs: Any) -> Thing:
        given = {"image": IMAGE, "command": SLEEP, "name": unique()} | inputs
        return self.create(CONTAINER, **given)


def failed_init(error: grpc.RpcError) -> Any:
    """What is there in spite of the error, None if nothing."""
    metadata = dict(error.trailing_metadata() or ())
    if "grpc-status-details-bin" not in metadata:
        return None
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    status.details[0].Unpack(detail)
    return detail


def unique(word: str = "x") -> str:
    return f"plugin-test-{word}-{uuid.uuid4().hex[:8]}"


def serve() -> Iterator[Any]:
    server = grpc.server(ThreadPoolExecutor(16))
    provider = DockerProvider()
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)
    server.stop(None)
    provider.close()


@pytest.fixture(scope="module")
def api() -> docker.DockerClient:
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        pytest.skip(f"no Docker engine: {error}")
    if not client.images.list(IMAGE):
        pytest.skip(f"no image {IMAGE} on the engine")
    return client


@pytest.fixture
def plugin(api: docker.DockerClient) -> Iterator[Plugin]:
    served = serve()
    plugin = Plugin(next(served))
    plugin.stub.Configure(provider_pb2.ConfigureRequest())
    yield plugin
    for thing in reversed(plugin.made):
        thing.delete()
    next(served, None)


def details(raised: pytest.ExceptionInfo) -> str:
    return raised.value.details()


# Every resource type: made, refreshed, unchanged, removed.


def every_type(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    (folder / "Dockerfile").write_text(f"FROM {IMAGE}\nLABEL purpose=test\n")
    label = [{"label": "a", "value": "b"}]
    return [
        (
            NETWORK,
            {
                "driver": "bridge",
                "labels": label,
                "ipamConfigs": [{"subnet": "10.239.11.0/24", "gateway": "10.239.11.1"}],
                "options": {"com.docker.network.driver.mtu": "1400"},
            },
        ),
        (VOLUME, {"labels": label, "driverOpts": {"type": "tmpfs", "device": "tmpfs"}}),
        (REMOTE_IMAGE, {"name": IMAGE, "keepLocally": True}),
        (
            BUILT_IMAGE,
            {"imageName": unique(), "skipPush": True, "build": {"context": str(folder)}},
        ),
        (
            CONTAINER,
            {
                "image": IMAGE,
                "command": SLEEP,
                "capabilities": {"drops": ["ALL"], "adds": ["CHOWN"]},
                "cpuShares": 512,
                "cpus": "0.5",
                "destroyGraceSeconds": 1,
                "dns": ["9.9.9.9"],
                "envs": ["B=2", "A=1", "SPACED=a b"],
                "healthcheck": {"tests": ["CMD", "true"], "interval": "1m30s"},
                "hostname": "somehost",
                "hosts": [{"host": "elsewhere", "ip": "10.1.2.3"}],
                "init": True,
                "labels": label,
                "logDriver": "json-file",
                "logOpts": {"max-size": "1m"},
                "maxRetryCount": 3,
                "memory": 64,
                "memorySwap": 64,
                "mounts": [{"type": "tmpfs", "target": "/m", "tmpfsOptions": {"mode": 1777}}],
                "networkMode": "bridge",
                "ports": [{"internal": 80, "ip": "127.0.0.1"}],
                "restart": "on-failure",
                "securityOpts": ["no-new-privileges"],
                "shmSize": 16,
                "tmpfs": {"/scratch": "size=1m"},
                "ulimits": [{"name": "nofile", "soft": 100, "hard": 200}],
                "user": "1000:100",
                "volumes": [
                    {"hostPath": "/tmp", "containerPath": "/host", "readOnly": True},
                    {"containerPath": "/anonymous"},
                ],
                "workingDir": "/tmp",
            },
        ),
    ]


def test_refresh_after_create_changes_nothing(plugin: Plugin, tmp_path: Path) -> None:
    for token, inputs in every_type(tmp_path):
        thing = plugin.create(token, **inputs)
        before = thing.outputs
        assert thing.refresh(), token
        assert thing.outputs == before, token
        assert thing.diff() == {}, token
        thing.delete()
        thing.delete()  # gone already is fine
    subprocess.run(["docker", "rmi", plugin.made[3].id], check=True, capture_output=True)


def test_removed_by_hand_is_seen(plugin: Plugin, api: docker.DockerClient) -> None:
    container = plugin.container()
    network = plugin.create(NETWORK)
    volume = plugin.create(VOLUME)
    api.containers.get(container.id).remove(force=True)
    api.networks.get(network.id).remove()
    api.volumes.get(volume.id).remove()
    assert not any(thing.refresh() for thing in (container, network, volume))


# Containers.


@pytest.mark.parametrize(
    ("property", "value", "effect"),
    [
        ("image", "other", "replace"),
        ("envs", ["A=2"], "replace"),
        ("command", ["sleep", "2000"], "replace"),
        ("labels", [{"label": "a", "value": "c"}], "replace"),
        ("uploads", [{"file": "/x", "content": "y"}], "replace"),
        ("networkMode", "host", "replace"),
        ("memory", 128, "update"),
        ("cpuShares", 100, "update"),
        ("restart", "always", "update"),
        ("healthcheck", {"tests": ["NONE"]}, "update"),
        ("wait", True, "update"),
        ("image", UNKNOWN, "replace"),
        ("readOnly", False, None),  # what is false counts as not given
        ("mustRun", True, None),  # a default too
    ],
)
def test_what_a_change_does(plugin: Plugin, property: str, value: Any, effect: str | None) -> None:
    inputs = {"image": IMAGE, "command": SLEEP, "name": "plugin-test-unmade", "envs": ["A=1"]}
    thing = Thing(plugin, CONTAINER, "id", inputs, inputs)
    assert thing.diff(**{property: value}) == ({property: effect} if effect else {})
    assert thing.difference.deleteBeforeReplace == (effect == "replace")  # both need the name


def test_order_counts_in_commands_only(plugin: Plugin) -> None:
    inputs = {"image": IMAGE, "command": ["a", "b"], "envs": ["A=1", "B=2"], "name": "n"}
    thing = Thing(plugin, CONTAINER, "id", inputs, inputs)
    assert thing.diff(envs=["B=2", "A=1"]) == {}
    assert thing.diff(command=["b", "a"]) == {"command": "replace"}


def test_autoname(plugin: Plugin) -> None:
    first, _ = plugin.check(CONTAINER, {"image": IMAGE})
    again, _ = plugin.check(CONTAINER, {"image": IMAGE}, first)
    replacement, _ = plugin.check(CONTAINER, {"image": IMAGE})
    assert first["name"].startswith("plugin-test-")
    assert len(first["name"]) == len("plugin-test-") + 7
    assert again["name"] == first["name"] != replacement["name"]
    thing = Thing(plugin, CONTAINER, "id", first, first)
    assert thing.diff(image="other") == {"image": "replace"}
    assert not thing.difference.deleteBeforeReplace, "the new one gets a name of its own"


def test_preview_needs_no_engine(plugin: Plugin) -> None:
    plugin.stub.Configure(
        provider_pb2.ConfigureRequest(variables={"docker:config:host": "ssh://nobody@nowhere"})
    )
    planned = plugin.preview(CONTAINER, image=IMAGE)
    assert planned["networkDatas"] == UNKNOWN
    assert planned["image"] == IMAGE


def test_update_in_place(plugin: Plugin, api: docker.DockerClient) -> None:
    thing = plugin.container(memory=64, memorySwap=64, restart="no")
    thing.update(memory=96, memorySwap=96, restart="always", cpuShares=300)
    host = api.api.inspect_container(thing.id)["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 96 * 1024**2
    assert host["RestartPolicy"]["Name"] == "always"
    assert host["CpuShares"] == 300
    assert thing.refresh()
    assert thing.diff() == {}


def test_changes_by_hand_are_seen_and_undone(plugin: Plugin, api: docker.DockerClient) -> None:
    network = plugin.create(NETWORK)
    thing = plugin.container(
        memory=64,
        memorySwap=64,
        networksAdvanced=[{"name": network.outputs["name"], "aliases": ["me"]}],
    )
    wanted = dict(thing.inputs)
    assert thing.refresh()
    assert thing.inputs == wanted
    container = api.containers.get(thing.id)
    container.update(mem_limit="80m", memswap_limit="80m")
    container.stop(timeout=0)
    assert thing.refresh(), "a stopped container is there"
    changes = thing.diff(memory=64, memorySwap=64)
    assert changes == {"memory": "update", "memorySwap": "update", "mustRun": "update"}
    thing.update(**wanted, mustRun=None)
    container.reload()
    assert container.status == "running"
    assert container.attrs["HostConfig"]["Memory"] == 64 * 1024**2
    api.networks.get(network.id).disconnect(container)
    assert thing.refresh()
    assert thing.diff(networksAdvanced=wanted["networksAdvanced"]) == {
        "networksAdvanced": "replace"
    }


def test_state_that_fits_no_more_shows_up(plugin: Plugin) -> None:
    thing = plugin.container(envs=["A=1"])
    wanted = thing.inputs
    thing.inputs = wanted | {"image": "another", "envs": ["A=0"]}
    assert thing.refresh()
    assert thing.inputs["image"] == IMAGE
    assert thing.inputs["envs"] == ["A=1"]


def test_networks_addresses_and_aliases(plugin: Plugin, api: docker.DockerClient) -> None:
    first = plugin.create(NETWORK, ipamConfigs=[{"subnet": "10.239.12.0/24"}])
    second = plugin.create(NETWORK)
    thing = plugin.container(
        networksAdvanced=[
            {"name": first.outputs["name"], "ipv4Address": "10.239.12.77", "aliases": ["a"]},
            {"name": second.id, "aliases": ["b"]},
        ]
    )
    ends = api.api.inspect_container(thing.id)["NetworkSettings"]["Networks"]
    assert set(ends) == {first.outputs["name"], second.outputs["name"]}
    assert ends[first.outputs["name"]]["IPAddress"] == "10.239.12.77"
    assert "b" in ends[second.outputs["name"]]["Aliases"]
    assert thing.outputs["networkDatas"][0]["ipAddress"]
    assert thing.refresh()
    assert thing.diff() == {}


def test_uploads(plugin: Plugin, api: docker.DockerClient, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("from a file")
    thing = plugin.container(
        uploads=[
            {"file": "/etc/deep/down/plain.txt", "content": "näh\n"},
            {"file": "/etc/private", "contentBase64": "AAEC", "permissions": "0600"},
            {"file": "/etc/run", "source": str(source), "executable": True},
        ]
    )
    script = "stat -c '%a %U %n' /etc/deep/down/plain.txt /etc/private /etc/run /etc/deep"
    script += "; cat /etc/deep/down/plain.txt /etc/run; od -An -tx1 /etc/private"
    _, output = api.containers.get(thing.id).exec_run(["sh", "-c", script])
    assert output.decode().split() == [
        *("644", "root", "/etc/deep/down/plain.txt"),
        *("600", "root", "/etc/private"),
        *("744", "root", "/etc/run"),
        *("755", "root", "/etc/deep"),
        *("näh", "from", "a", "file", "00", "01", "02"),
    ]


def test_destroy_grace(plugin: Plugin, tmp_path: Path) -> None:
    script = (
        "trap 'sleep 1; echo done > /out/said; exit' TERM; echo up; while :; do sleep 0.1; done"
    )
    thing = plugin.container(
        command=["sh", "-c", script],
        destroyGraceSeconds=10,
        restart="always",
        volumes=[{"hostPath": str(tmp_path), "containerPath": "/out"}],
    )
    thing.delete()
    assert (tmp_path / "said").read_text() == "done\n"
    hasty = plugin.container(command=["sh", "-c", script])
    start = time.monotonic()
    hasty.delete()
    assert time.monotonic() - start < 5
    assert not hasty.refresh()


def test_anonymous_volumes_go_with_the_container(plugin: Plugin, api: docker.DockerClient) -> None:
    thing = plugin.container(volumes=[{"containerPath": "/data"}])
    (mount,) = api.api.inspect_container(thing.id)["Mounts"]
    thing.delete()
    with pytest.raises(NotFound):
        api.volumes.get(mount["Name"])


def test_wait_until_healthy(plugin: Plugin, api: docker.DockerClient) -> None:
    thing = plugin.container(
        command=["sh", "-c", "sleep 1; touch /ready; sleep 1000"],
        healthcheck={"tests": ["CMD", "test", "-e", "/ready"], "interval": "300ms", "retries": 30},
        wait=True,
    )
    assert api.api.inspect_container(thing.id)["State"]["Health"]["Status"] == "healthy"


def test_waiting_in_vain_shows_the_log(plugin: Plugin) -> None:
    name = unique()
    with pytest.raises(grpc.RpcError) as raised:
        plugin.container(
            name=name,
            command=["sh", "-c", "seq 100; echo database is locked; sleep 1000"],
            healthcheck={"tests": ["CMD-SHELL", "echo no answer; false"], "interval": "1s"},
            wait=True,
            waitTimeout=2,
        )
    text = details(raised)
    assert f"container {name} is not healthy after 2 s" in text
    assert "database is locked" in text
    assert "\n    99\n" in text
    assert "\n    80\n" not in text
    assert "no answer" in text
    assert failed_init(raised.value).id, "it is there, so the state has to know it"


def test_a_container_that_ends_at_once_is_an_error(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        plugin.container(command=["sh", "-c", "echo no config; exit 3"])
    assert "ended with exit code 3" in details(raised)
    assert "no config" in details(raised)
    plugin.container(command=["true"], mustRun=False)


def test_engine_errors_are_one_line_with_the_way_out(plugin: Plugin) -> None:
    taken = plugin.container(ports=[{"internal": 80, "external": 18299, "ip": "127.0.0.1"}])
    cases: list[tuple[dict[str, Any], str]] = [
        ({"name": taken.inputs["name"]}, "docker rm -f"),
        ({"image": "plugin-test-missing:1"}, "image plugin-test-missing:1 is not on the"),
        ({"ports": taken.inputs["ports"]}, "port 18299 is already in use"),
        ({"command": ["/no/such/program"]}, "/no/such/program"),
    ]
    for inputs, expected in cases:
        with pytest.raises(grpc.RpcError) as raised:
            plugin.container(**inputs)
        assert expected in details(raised)
        assert "Traceback" not in details(raised)
        assert "\n" not in details(raised)
        assert failed_init(raised.value) is None, "nothing is left behind"
    left = docker.from_env().containers.list(all=True, filters={"name": "plugin-test-"})
    assert [container.id for container in left] == [taken.id]


def test_parallel_creation(plugin: Plugin) -> None:
    start = time.monotonic()
    plugin.container().delete()
    alone = time.monotonic() - start
    start = time.monotonic()
    slow = {
        "command": ["sh", "-c", "sleep 1; touch /ready; sleep 1000"],
        "healthcheck": {"tests": ["CMD", "test", "-e", "/ready"], "interval": "500ms"},
        "wait": True,
    }
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: plugin.container(**slow), range(6)))
    assert time.monotonic() - start < 6 * (alone + 1.5)


def test_what_is_not_covered_is_named(plugin: Plugin) -> None:
    _, failures = plugin.check(CONTAINER, {"image": IMAGE, "attach": True})
    assert failures == [
        "attach is not covered by the docker stand-in; the official plugin is needed: "
        "pulumi plugin install resource docker 5.2.0"
    ]
    _, failures = plugin.check(VOLUME, {"cluster": {"id": "x"}, "nonsense": 1})
    assert any("official plugin is needed" in failure for failure in failures)
    assert any("nonsense is no property" in failure for failure in failures)
    _, failures = plugin.check(CONTAINER, {})
    assert failures == ["image is missing"]
    with pytest.raises(grpc.RpcError) as raised:
        plugin.check("docker:index/service:Service", {})
    assert "official plugin is needed" in details(raised)


def test_no_engine(plugin: Plugin) -> None:
    plugin.stub.Configure(
        provider_pb2.ConfigureRequest(variables={"docker:config:host": "unix:///no/such.sock"})
    )
    with pytest.raises(grpc.RpcError) as raised:
        plugin.container()
    assert "Docker is not running at unix:///no/such.sock" in details(raised)
    assert "sudo systemctl start docker" in details(raised)


def test_over_ssh(plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program named ssh that runs the remote command here shows what ssh is asked to do."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nfor last; do :; done\nexec $last\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    plugin.stub.Configure(
        provider_pb2.ConfigureRequest(
            variables={
                "docker:config:host": "ssh://me@machine:2222",
                "docker:config:sshOpts": json.dumps(["-o", "BatchMode=yes"]),
            }
        )
    )
    thing = plugin.container(uploads=[{"file": "/big", "content": "x" * 2_000_000}])
    assert thing.refresh()
    calls = (tmp_path / "calls").read_text().splitlines()
    assert set(calls) == {"-o BatchMode=yes -l me -p 2222 -- machine docker system dial-stdio"}
    thing.delete()
    plugin.made.clear()
    ssh.write_text("#!/bin/sh\necho 'Permission denied (publickey).' >&2; exit 255\n")
    plugin.stub.Configure(
        provider_pb2.ConfigureRequest(variables={"docker:config:host": "ssh://me@machine"})
    )
    with pytest.raises(grpc.RpcError) as raised:
        plugin.container()
    assert "ssh says: Permission denied (publickey)." in details(raised)


# Networks and volumes.


def test_network_in_use_names_the_containers(plugin: Plugin) -> None:
    network = plugin.create(NETWORK)
    user = plugin.container(networksAdvanced=[{"name": network.outputs["name"]}])
    with pytest.raises(grpc.RpcError) as raised:
        network.delete()
    assert f"is in use by: {user.inputs['name']}" in details(raised)
    user.delete()
    network.delete()
    assert not network.refresh()


def test_network_errors(plugin: Plugin) -> None:
    network = plugin.create(NETWORK, ipamConfigs=[{"subnet": "10.239.13.0/24"}])
    with pytest.raises(grpc.RpcError) as raised:
        plugin.create(NETWORK, name=network.outputs["name"])
    assert f"docker network rm {network.outputs['name']}" in details(raised)
    with pytest.raises(grpc.RpcError) as raised:
        plugin.create(NETWORK, ipamConfigs=[{"subnet": "10.239.13.0/25"}])
    assert "Choose another subnet" in details(raised)
    assert network.diff(internal=True) == {"internal": "replace"}


def test_volume_is_adopted_with_its_data(plugin: Plugin, api: docker.DockerClient) -> None:
    name = unique()
    api.volumes.create(name)
    volume = plugin.create(VOLUME, name=name, labels=[{"label": "a", "value": "b"}])
    assert volume.id == name
    assert volume.outputs["mountpoint"]
    assert volume.refresh()
    assert volume.diff() == {}, "its own labels don't make a replacement of data"
    with pytest.raises(grpc.RpcError) as raised:
        plugin.create(VOLUME, name=name, driverOpts={"type": "tmpfs", "device": "tmpfs"})
    assert "with other driver options" in details(raised)


def test_volume_in_use_names_the_containers(plugin: Plugin) -> None:
    volume = plugin.create(VOLUME)
    mount = {"volumeName": volume.id, "containerPath": "/data"}
    user = plugin.container(volumes=[mount])
    with pytest.raises(grpc.RpcError) as raised:
        volume.delete()
    assert f"is in use by: {user.inputs['name']}" in details(raised)


# Images.


def test_image_is_built_and_its_context_watched(
    plugin: Plugin, api: docker.DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE} AS first\nARG WORD\nARG HTTP_PROXY\nCOPY . /app\n"
        'RUN echo "$WORD $HTTP_PROXY" > /word\nFROM first AS second\nRUN exit 1\n'
    )
    (tmp_path / ".dockerignore").write_text("*.log\n")
    (tmp_path / "app.py").write_text("1")
    build = {
        "context": str(tmp_path),
        "target": "first",
        "args": {"WORD": "hello", "HTTP_PROXY": "http://proxy"},
    }
    inputs = {"imageName": unique(), "skipPush": True, "build": build}
    planned = plugin.preview(BUILT_IMAGE, **inputs)
    assert planned["repoDigest"] == UNKNOWN
    assert planned["imageName"] == planned["baseImageName"] == inputs["imageName"]
    thing = plugin.create(BUILT_IMAGE, **inputs)
    try:
        assert thing.id == inputs["imageName"]
        assert thing.outputs["repoDigest"] == api.images.get(thing.id).id
        assert thing.outputs["dockerfile"] == "Dockerfile"
        said = api.containers.run(thing.id, ["sh", "-c", "cat /word; ls /app"], remove=True)
        assert said.decode().split() == ["hello", "http://proxy", "Dockerfile", "app.py"]
        (tmp_path / "noise.log").write_text("ignored")
        assert thing.diff() == {}
        (tmp_path / "app.py").chmod(0o755)
        assert thing.diff() == {"build": "update"}
        thing.delete()
        assert thing.refresh(), "images are left on the engine"
    finally:
        api.images.remove(thing.id)
    assert not thing.refresh()


def test_image_that_is_there_is_built_again_only_from_something_else(
    plugin: Plugin, api: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nARG WORD\nCOPY . /app\n")
    (tmp_path / "app.py").write_text("1")
    builds: list[str] = []
    really = docker.APIClient.build

    def build(client: docker.APIClient, *args: Any, **options: Any) -> Any:
        builds.append(options["tag"])
        return really(client, *args, **options)

    monkeypatch.setattr(docker.APIClient, "build", build)
    name = f"{unique()}:1"

    def made(**args: str) -> Thing:
        inputs = {"context": str(tmp_path), "args": args}
        return plugin.create(BUILT_IMAGE, imageName=name, skipPush=True, build=inputs)

    try:
        first = made(WORD="a")
        again = made(WORD="a")
        assert builds == [name]
        assert again.outputs["repoDigest"] == first.outputs["repoDigest"]
        made(WORD="b")
        (tmp_path / "app.py").write_text("2")
        made(WORD="b")
        assert builds == [name] * 3
        assert api.containers.run(name, ["cat", "/app/app.py"], remove=True) == b"2"
        api.images.get(IMAGE).tag(name)  # somebody else's, under this name
        made(WORD="b")
        assert builds == [name] * 4
    finally:
        api.images.remove(name, force=True)


def test_image_built_ahead_is_the_one_that_is_asked_for(
    plugin: Plugin, api: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nARG WORD\nRUN echo $WORD > /word\n")
    name = f"{unique()}:1"
    each = {"reference": name, "context": str(tmp_path), "arguments": {"WORD": "early"}}
    asked = json.dumps({"host": "unix:///var/run/docker.sock", "builds": [each]})
    command = [sys.executable, "-m", "toolchain.plugins.docker.ahead"]
    done = subprocess.run(
        command, input=asked, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "step 3/4 RUN echo" in done.stdout

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("it is there")

    monkeypatch.setattr(docker.APIClient, "build", refused)
    build = {"context": str(tmp_path), "args": {"WORD": "early"}}
    try:
        plugin.create(BUILT_IMAGE, imageName=name, skipPush=True, build=build)
        assert api.containers.run(name, ["cat", "/word"], remove=True) == b"early\n"
    finally:
        api.images.remove(name, force=True)


def test_image_that_does_not_build(plugin: Plugin, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE}\nRUN seq 50; echo no such package >&2; exit 7\n"
    )
    name = unique()
    with pytest.raises(grpc.RpcError) as raised:
        plugin.create(BUILT_IMAGE, imageName=name, skipPush=True, build={"context": str(tmp_path)})
    text = details(raised)
    assert f"image {name} does not build" in text
    assert "no such package" in text
    assert "\n    50\n" in text
    assert "\n    30\n" not in text


def test_image_with_bad_inputs(plugin: Plugin, tmp_path: Path) -> None:
    def reason(**build: Any) -> str:
        _, failures = plugin.check(BUILT_IMAGE, {"imageName": "x", "build": build})
        return " ".join(failures)

    assert "not a folder" in reason(context=str(tmp_path / "none"))
    assert "there is no Dockerfile" in reason(context=str(tmp_path))
    assert "official plugin" in reason(builderVersion="BuilderBuildKit", context=".")
    assert reason(context=UNKNOWN) == ""


def test_remote_image(plugin: Plugin, api: docker.DockerClient) -> None:
    there = plugin.create(REMOTE_IMAGE, name=IMAGE, keepLocally=True)
    assert there.outputs["imageId"] == api.images.get(IMAGE).id
    there.delete()
    assert api.images.list(IMAGE)
    assert there.diff(keepLocally=False) == {"keepLocally": "update"}
    assert there.diff(name="other") == {"name": "replace"}
    copy = f"{unique()}:1"
    api.images.get(IMAGE).tag(copy)
    plugin.create(REMOTE_IMAGE, name=copy).delete()
    assert not api.images.list(copy)
    with pytest.raises(grpc.RpcError) as raised:
        plugin.create(REMOTE_IMAGE, name="127.0.0.1:9/plugin-test-missing:1")
    assert "image 127.0.0.1:9/plugin-test-missing:1" in details(raised)


# With the real Pulumi engine.

PROGRAM = """
import pulumi
import pulumi_docker as docker

config = pulumi.Config()
name = config.require("name")
engine = docker.Provider("engine", host="unix:///var/run/docker.sock")
options = pulumi.ResourceOptions(provider=engine)
network = docker.Network("network", opts=options)
volume = docker.Volume("volume", name=name, opts=options)
image = docker.Image(
    "image", image_name=name, skip_push=True,
    build=docker.DockerBuildArgs(context="context"), opts=options,
)
container = docker.Container(
    "container",
    image=image.image_name,
    command=["sleep", "1000"],
    envs=["A=" + config.get("a", "1"), config.require_secret("s").apply(lambda s: "S=" + s)],
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name)],
    volumes=[docker.ContainerVolumeArgs(volume_name=volume.name, container_path="/data")],
    labels=[docker.ContainerLabelArgs(label="test", value=name)],
    memory=64,
    memory_swap=64,
    healthcheck=docker.ContainerHealthcheckArgs(tests=["CMD", "true"], interval="300ms"),
    wait=True,
    opts=options,
)
pulumi.export("container", container.name)
"""


def test_with_the_pulumi_engine(api: docker.DockerClient, tmp_path: Path) -> None:
    pulumi = os.environ.get("PULUMI") or shutil.which("pulumi")
    if not pulumi:
        pytest.skip("no pulumi on PATH (or in $PULUMI)")
    name = unique("engine")
    project = tmp_path / "project"
    (project / "context").mkdir(parents=True)
    (project / "context" / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo {name}\n")
    (project / "Pulumi.yaml").write_text("name: plugin-test\nruntime:\n  name: python\n")
    (project / "__main__.py").write_text(PROGRAM)
    bins = [CHECKOUT / "toolchain/plugins/bin" / kind for kind in ("docker", "language")]
    programs = tmp_path / "programs"
    programs.mkdir()
    for script in (script for folder in bins for script in folder.iterdir()):
        # The project's own scripts, with the Python that runs these tests.
        module = "docker" if "resource" in script.name else "language_host"
        target = programs / script.name
        start = f"{sys.executable} -m toolchain.plugins.{module}"
        target.write_text(f'#!/bin/sh\nPYTHONPATH={CHECKOUT} exec {start} "$@"\n')
        target.chmod(0o755)
    (tmp_path / "state").mkdir()
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "x",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [pulumi, *arguments, "--non-interactive"],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("stack", "init", "test")
    run("config", "set", "name", name)
    run("config", "set", "s", "geheim", "--secret")
    try:
        run("preview")
        first = run("up", "--yes", "--skip-preview")
        assert "step 2/3" in first  # the last one is the label
        made = run("stack", "output", "container").strip()
        assert api.containers.get(made).labels["test"] == name
        run("preview", "--expect-no-changes")
        run("up", "--yes", "--refresh", "--skip-preview", "--expect-no-changes")
        assert "geheim" not in "".join(
            path.read_text() for path in (tmp_path / "state").rglob("*.json*")
        )
        api.containers.get(made).stop(timeout=0)
        assert "[diff: ~mustRun]" in run("up", "--yes", "--refresh", "--skip-preview")
        assert api.containers.get(made).status == "running"
        run("config", "set", "a", "2")
        plan = json.loads(run("preview", "--json"))
        steps = {s["urn"].rsplit("::", 1)[-1]: s["op"] for s in plan["steps"]}
        assert steps["container"] == "replace"
        assert not {"network", "volume", "image"} & steps.keys()
        (project / "context" / "new").write_text("x")
        plan = json.loads(run("preview", "--json"))
        steps = {s["urn"].rsplit("::", 1)[-1]: s["op"] for s in plan["steps"]}
        assert steps["image"] == "update"
        run("up", "--yes", "--skip-preview")
    finally:
        run("destroy", "--yes", "--skip-preview")
        api.images.remove(name, force=True)
    assert not api.containers.list(all=True, filters={"label": f"test={name}"})
