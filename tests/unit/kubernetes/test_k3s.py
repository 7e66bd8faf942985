"""A k3s cluster of the stack's own under Pulumi's mocks: machines, how they join, what is kept."""

from __future__ import annotations

import asyncio
import functools
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pydantic import SecretStr

from components import ClusterHostArgs, ConfigError, KubernetesClusterArgs, config
from components.kubernetes_cluster import k3s, k3s_config
from components.machine import gate
from components.machine.gate import Host
from components.platforms.kubernetes import NO_WAY
from tests.unit.test_cloud import (
    ATTACHMENT,
    CLOUDS,
    DISK,
    FIXTURES,
    KEY,
    VM,
    Recorder,
    _open,
    _user_data,
    surround,
)
from toolchain.stacks import machine, remove
from toolchain.stacks.machine import Machine

fetch = k3s.fetch  # the real one
TOKEN = "ab" * 32
ACCESS = {"certificate": "Q0E=", "token": "the-account's"}
STASH = "pulumi:index:Stash"
PROVIDER = "pulumi:providers:kubernetes"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
RELEASE = "kubernetes:helm.sh/v3:Release"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surround(monkeypatch, tmp_path)
    monkeypatch.setattr(k3s, "fetch", lambda host: ACCESS)


@functools.cache
def compose(name: str, preview: bool = False) -> tuple[Recorder, dict[str, Any]]:
    """A fixture composed once; nothing here changes what was recorded."""
    return composed(FIXTURES / f"kubernetes.happy.{name}.yaml", preview)


def composed(file: Path, preview: bool = False) -> tuple[Recorder, dict[str, Any]]:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="jupyterhub", stack="test", preview=preview)
    pulumi.runtime.register_stack_transformation(recorder.transform)
    from stacks import kubernetes

    stack = config.read_file(file)
    known = {"ssh_key": SecretStr(KEY), "cluster_token": SecretStr(TOKEN)}
    secrets = stack.secrets.model_copy(update=known)
    outputs: dict[str, Any] = {}

    @pulumi.runtime.test
    def run() -> Any:
        exports = kubernetes.compose("test", stack.model_copy(update={"secrets": secrets}))
        return pulumi.Output.all(**exports).apply(outputs.update)

    run()
    recorder.listens = False
    return recorder, outputs


def gate_of(recorder: Recorder, node: str) -> dict[str, Any]:
    return dict(recorder.inputs[STASH, f"cluster-{node}-ready"]["input"])


def config_of(recorder: Recorder, node: str) -> dict[str, Any]:
    return dict(yaml.safe_load(gate_of(recorder, node)["files"][k3s_config.CONFIG]))


def names(resources: Any) -> set[str]:
    return {each._name for each in resources}


# --- one server ---------------------------------------------------------------------------------


def test_one_server_is_a_cluster() -> None:
    recorder, outputs = compose("k3s-openstack")
    assert set(recorder.of(VM["openstack"])) == {"cluster-server-0"}
    assert config_of(recorder, "server-0") == {
        "node-name": "server-0",
        "node-ip": "10.20.0.5",
        "advertise-address": "10.20.0.5",
        "node-external-ip": "192.0.2.80",
        "tls-san": ["192.0.2.80"],
        "token-file": "/etc/rancher/k3s/token",
        "cluster-init": True,
        "secrets-encryption": True,
        "disable": ["traefik"],
        "etcd-snapshot-schedule-cron": "0 */6 * * *",
        "etcd-snapshot-retention": 8,
        "write-kubeconfig-mode": "0600",
        "kubelet-arg": ["pod-max-pids=4096"],
        "node-label": [
            "pulumi-jupyterhub/data=true",
            "pulumi-jupyterhub/node=server-0",
            "svccontroller.k3s.cattle.io/enablelb=true",
        ],
    }
    assert outputs["address"] == "192.0.2.80"
    assert outputs["api_endpoint"] == "https://192.0.2.80:6443"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_engine_and_no_docker_on_a_node(cloud: str) -> None:
    recorder, _ = compose(f"k3s-{cloud}")
    assert not [kind for kind, _ in recorder.inputs if "docker" in kind]
    desired = gate_of(recorder, "server-0")["desired"]
    assert "ENGINE=k3s\n" in desired
    assert "K3S_ROLE=server\n" in desired
    assert f"K3S_VERSION={k3s_config.VERSION}\n" in desired


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_disk_is_the_servers_and_outlives_it(cloud: str) -> None:
    recorder, _ = compose(f"k3s-{cloud}")
    inputs, options = recorder.one(DISK[cloud])
    assert inputs["size"] == 50
    assert options.protect
    _, attached = recorder.one(ATTACHMENT[cloud])
    assert attached.deleted_with is not None
    assert "K3S_DATA=/srv/cluster-data0" in gate_of(recorder, "server-0")["desired"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_comes_in_from_where(cloud: str) -> None:
    recorder, _ = compose(f"k3s-{cloud}")
    if cloud == "gcp":  # that test's own assertion is on another name
        rules = recorder.of("gcp:compute/firewall:Firewall")
        assert {r["targetTags"][0] for r in rules.values()} == {"jupyterhub-test-cluster-server-0"}
        assert {(r["allows"][0]["ports"][0], r["sourceRanges"][0]) for r in rules.values()} == {
            ("80", "0.0.0.0/0"),
            ("443", "0.0.0.0/0"),
            ("22", "192.0.2.7/32"),
            ("6443", "192.0.2.7/32"),
        }
        return
    assert _open(cloud, recorder) == {
        ("tcp", 80, 80, "0.0.0.0/0"),
        ("tcp", 443, 443, "0.0.0.0/0"),
        ("tcp", 22, 22, "192.0.2.7/32"),
        ("tcp", 6443, 6443, "192.0.2.7/32"),
    }


@pytest.mark.parametrize("name", ["k3s-openstack", "k3s-aws", "k3s-gcp", "k3s-pools", "k3s-hosts"])
def test_no_secret_in_user_data_or_in_plain_state(name: str) -> None:
    recorder, _ = compose(name)
    for (kind, of), inputs in recorder.inputs.items():
        plain = json.dumps(without_secrets(inputs), default=str)
        for secret in (TOKEN, ACCESS["token"], "PRIVATE KEY"):
            assert secret not in plain, (kind, of)
    cloud = name.removeprefix("k3s-")
    if cloud in CLOUDS:
        inputs, _ = recorder.one(VM[cloud])
        assert TOKEN not in yaml.safe_dump(_user_data(cloud, inputs))


def without_secrets(value: Any) -> Any:
    """What would be readable in the state."""
    if isinstance(value, dict):
        if "4dabf18193072939515e22adb298388d" in value:
            return "[secret]"
        return {key: without_secrets(item) for key, item in value.items()}
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


def test_user_data_doesnt_know_the_cluster_yet() -> None:
    recorder, _ = compose("k3s-openstack")
    inputs, _ = recorder.one(VM["openstack"])
    text = yaml.safe_dump(_user_data("openstack", inputs))
    assert "FILES=" not in text  # k3s starts when its files have come


def test_everything_in_the_cluster_waits_for_its_nodes() -> None:
    recorder, _ = compose("k3s-pools")
    namespace = recorder.options["kubernetes:core/v1:Namespace", "namespace"]
    waited_for = names(namespace.depends_on)
    assert {"cluster-server-2-ready", "cluster-users-1-ready", "cluster-nodes"} <= waited_for


def test_claims_are_on_the_servers_disk_which_is_what_protects_them() -> None:
    recorder, _ = compose("k3s-openstack")
    claims = recorder.of(CLAIM)
    assert set(claims) == {"shared", "state", "certificates"}
    for name, claim in claims.items():
        assert claim["spec"]["storageClassName"] == k3s_config.STORAGE_CLASS
        assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
        options = recorder.options[CLAIM, name]
        # `make down` could delete no VM for a protected claim; the disk is protected, and the
        # claim stays in the cluster's state, which is on it.
        assert not options.protect and options.retain_on_delete
    documents = list(
        yaml.safe_load_all(gate_of(recorder, "server-0")["files"][k3s_config.MANIFEST])
    )
    (storage,) = [each for each in documents if each["kind"] == "StorageClass"]
    assert storage["reclaimPolicy"] == "Retain"
    assert storage["allowedTopologies"] == [
        {"matchLabelExpressions": [{"key": k3s_config.DATA, "values": ["true"]}]}
    ]


def test_browsers_come_in_where_the_proxy_is() -> None:
    one = compose("k3s-openstack")[0].inputs[RELEASE, "proxy"]["values"]
    assert one["nodeSelector"] == {k3s_config.DATA: "true"}
    assert one["service"]["spec"]["externalTrafficPolicy"] == "Local"
    three = compose("k3s-pools")[0].inputs[RELEASE, "proxy"]["values"]
    assert three["service"]["spec"]["externalTrafficPolicy"] == "Cluster"


# --- several nodes ------------------------------------------------------------------------------


def test_three_servers_and_pools() -> None:
    recorder, outputs = compose("k3s-pools")
    workers = {"cluster-users-0", "cluster-users-1", "cluster-gpu-0"}
    servers = {f"cluster-server-{n}" for n in range(3)}
    assert set(recorder.of(VM["openstack"])) == servers | workers
    assert set(recorder.of("openstack:networking/network:Network")) == {"cluster-server-0"}
    assert set(recorder.of(DISK["openstack"])) == {f"cluster-data{n}" for n in range(3)}
    assert recorder.of(VM["openstack"])["cluster-gpu-0"]["flavorName"] == "g1.large"
    (root,) = recorder.of(VM["openstack"])["cluster-gpu-0"]["blockDevices"]
    assert root["volumeSize"] == 200
    assert len(outputs["addresses"]) == 6


def test_the_first_makes_the_cluster_and_the_others_join_it() -> None:
    recorder, _ = compose("k3s-pools")
    for node in ("server-1", "server-2"):
        joined = config_of(recorder, node)
        assert joined["server"] == "https://10.20.0.5:6443"
        assert "cluster-init" not in joined
        assert joined["secrets-encryption"] and joined["etcd-snapshot-retention"] == 20
        assert set(gate_of(recorder, node)["files"]) == {k3s_config.CONFIG}
    assert config_of(recorder, "server-0")["cluster-init"]
    assert "K3S_SERVERS=3\n" in gate_of(recorder, "server-0")["desired"]
    assert "K3S_VERSION=v1.34.2+k3s1\n" in gate_of(recorder, "server-0")["desired"]


def test_they_start_one_after_the_other_and_workers_after_servers() -> None:
    recorder, _ = compose("k3s-pools")

    def waits_for(node: str) -> set[str]:
        options = recorder.options[STASH, f"cluster-{node}-ready"]
        return {name for name in names(options.depends_on) if name.endswith("-ready")}

    assert waits_for("server-0") == set()
    assert waits_for("server-1") == {"cluster-server-0-ready"}
    assert waits_for("server-2") == {"cluster-server-1-ready"}
    assert waits_for("users-1") == {f"cluster-server-{n}-ready" for n in range(3)}


def test_workers_have_their_pools_labels_and_taints() -> None:
    recorder, _ = compose("k3s-pools")
    users = config_of(recorder, "users-1")
    assert users["with-node-id"]  # with a new VM it is another node
    assert "node-taint" not in users and "tls-san" not in users
    assert set(users["node-label"]) == {
        "course=root",
        "pulumi-jupyterhub/node=users-1",
        "pulumi-jupyterhub/pool=users",
    }
    gpu = config_of(recorder, "gpu-0")
    assert gpu["node-taint"] == ["nvidia.com/gpu=present:NoSchedule", "gpu=yes:NoSchedule"]
    assert gpu["default-runtime"] == "nvidia"
    assert "GPU_DRIVER=yes\n" in gate_of(recorder, "gpu-0")["desired"]
    assert "GPU_DRIVER=no\n" in gate_of(recorder, "users-0")["desired"]


def test_nodes_talk_on_their_own_network_only() -> None:
    recorder, _ = compose("k3s-pools")
    found: dict[str, set[str]] = {}
    for name, rule in recorder.of("openstack:networking/secGroupRule:SecGroupRule").items():
        node = name.removeprefix("cluster-").split("-tcp-")[0].split("-udp-")[0]
        port = f"{rule['protocol']} {int(rule['portRangeMin'])}"
        found.setdefault(node, set()).add(f"{port} {rule['remoteIpPrefix']}")
    inside = {"tcp 10250 10.20.0.0/24", "udp 8472 10.20.0.0/24"}
    ssh = {"tcp 22 192.0.2.7/32"}
    web = {"tcp 80 0.0.0.0/0", "tcp 443 0.0.0.0/0"}
    server = {"tcp 6443 10.20.0.0/24", "tcp 2379 10.20.0.0/24", "tcp 6443 198.51.100.0/24"}
    assert found["users-0"] == inside | ssh
    assert found["server-1"] == inside | ssh | web | server


def test_a_second_server_changes_nothing_of_the_first_but_its_gate(tmp_path: Path) -> None:
    """What its k3s reads is the same: it isn't restarted, and its VM isn't touched."""
    text = (FIXTURES / "kubernetes.happy.k3s-pools.yaml").read_text()
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(text.replace("servers: 3", "servers: 1"))
    before, after = composed(file)[0], compose("k3s-pools")[0]
    assert gate_of(before, "server-0")["files"] == gate_of(after, "server-0")["files"]
    for kind in (VM["openstack"], DISK["openstack"]):
        for name, inputs in before.of(kind).items():
            assert without_user_data(inputs) == without_user_data(after.of(kind)[name])


def without_user_data(inputs: dict[str, Any]) -> dict[str, Any]:
    """Which is ignored once a VM is there."""
    return {key: value for key, value in inputs.items() if key != "userData"}


# --- machines that exist ------------------------------------------------------------------------


def test_machines_that_exist() -> None:
    recorder, outputs = compose("k3s-hosts")
    assert {kind.split(":")[0] for kind, _ in recorder.inputs} == {
        "jupyterhub",
        "kubernetes",
        "pulumi",
    }
    server, worker = config_of(recorder, "cellar"), config_of(recorder, "attic")
    assert server["cluster-init"] and "node-ip" not in server
    assert worker["server"] == "https://192.0.2.21:6443"
    assert "pulumi-jupyterhub/pool=big" in worker["node-label"]
    assert (
        "DISKS='/srv/data /dev/disk/by-id/virtio-data jh-data'"
        in gate_of(recorder, "cellar")["desired"]
    )
    assert outputs["addresses"] == ["192.0.2.21", "192.0.2.20"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "k3s"}, "either `cloud` (VMs are made) or `hosts`"),
        ({"kind": "k3s", "cloud": "aws", "servers": 2}, "servers is 1 or 3, not 2"),
        ({"kind": "k3s", "cloud": "azure"}, "'aws', 'gcp' or 'openstack'"),
        ({"kind": "k3s", "cloud": "aws", "kubeconfig_file": "x"}, "`kubeconfig_file` goes with"),
        ({"kind": "k3s", "cloud": "aws", "version": "v1.34"}, "is not like v1.35.4+k3s1"),
        ({"kind": "existing", "data": {"kind": "block"}}, "`data` goes with kind k3s"),
        ({"kind": "eks", "token": "x"}, "`token` goes with kind k3s"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        KubernetesClusterArgs(**values)
    assert said in str(caught.value)


def test_hosts_need_a_server() -> None:
    with pytest.raises(ConfigError) as caught:
        KubernetesClusterArgs(kind="k3s", hosts={"a": ClusterHostArgs(address="192.0.2.1")})
    assert "1 or 3 of the hosts with `server: true`, not 0" in str(caught.value)


def three(first: str | None) -> KubernetesClusterArgs:
    hosts = {
        name: ClusterHostArgs(address=f"{name}.example.org", server=True, first=name == first)
        for name in ("attic", "cellar", "roof")
    }
    return KubernetesClusterArgs(kind="k3s", hosts=hosts)


def test_a_new_servers_name_never_makes_it_the_first() -> None:
    with pytest.raises(ConfigError) as caught:
        three(None)
    assert "`first: true` for the one that makes the cluster" in str(caught.value)
    assert three("cellar").state_keepers == 3


# --- the way in ---------------------------------------------------------------------------------


def test_the_way_in_is_an_account_of_our_own() -> None:
    recorder, outputs = compose("k3s-openstack")
    document = yaml.safe_load(outputs["kubeconfig"])
    assert document["users"][0]["user"] == {"token": ACCESS["token"]}
    assert document["clusters"][0]["cluster"] == {
        "server": "https://192.0.2.80:6443",
        "certificate-authority-data": ACCESS["certificate"],
    }
    inputs, _ = recorder.one(PROVIDER)
    assert inputs["clusterIdentifier"] == "jupyterhub-test"
    access = recorder.options[STASH, "cluster-access"]
    assert access.ignore_changes == ["input"]
    assert names(access.depends_on) == {"cluster-server-0-ready"}  # type: ignore[arg-type]


def test_a_preview_of_what_isnt_there_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(k3s, "fetch", lambda *words: asked.append(words))
    _, outputs = compose("k3s-openstack", preview=True)
    assert outputs["kubeconfig"] == NO_WAY
    assert not asked


class Answers(Host):
    """A machine that answers what a test says, and keeps what it was asked."""

    def __new__(cls, *_: Any) -> Answers:
        return object.__new__(cls)

    def __init__(self, *said: tuple[int, str]) -> None:
        super().__init__("u", "192.0.2.80", 22, [])
        object.__setattr__(self, "said", list(said))
        object.__setattr__(self, "asked", [])

    def run(self, command: str, given: str = "", timeout: float = 60) -> Any:
        asked, said = vars(self)["asked"], vars(self)["said"]
        asked.append((command, given))
        code, text = said.pop(0) if said else (0, "")
        return type("Done", (), {"returncode": code, "stdout": text, "stderr": "not there"})


def test_the_account_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k3s.time, "sleep", lambda seconds: None)
    whole = json.dumps({"data": {"ca.crt": "Q0E=", "token": "dG9rZW4="}})
    host = Answers((1, ""), (0, "{}"), (0, whole))
    assert fetch(host) == {"certificate": "Q0E=", "token": "token"}


def test_without_an_account_nothing_is_kept_and_nothing_goes_on() -> None:
    """A server that is away changes nothing of what is kept: only making it anew stops."""
    assert fetch(Answers((255, ""))) == {}
    with pytest.raises(gate.NotReady) as caught:
        k3s._require({})
    assert "has made no account for this stack" in str(caught.value)


# --- files, and nodes that go -------------------------------------------------------------------


def test_files_come_by_standard_input_and_before_the_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Answers((0, ""), (0, ""), (1, ""))  # ssh, cloud-init, not ready
    monkeypatch.setattr(gate, "host_of", lambda way: host)
    monkeypatch.setattr(gate, "_run_script", lambda host, deadline: "")
    monkeypatch.setattr(gate.time, "sleep", lambda seconds: None)
    wanted = {
        "ssh": {},
        "desired": "ENGINE=k3s\n",
        "within": 60,
        "answers": "systemctl is-active --quiet k3s",
        "files": {k3s_config.CONFIG: "node-name: a\n"},
    }
    with pytest.raises(gate.NotReady):  # nothing here makes it so
        gate._bring_about(wanted, {k3s_config.TOKEN: TOKEN})
    asked = vars(host)["asked"]
    commands = [command for command, _ in asked]
    assert not [command for command in commands if TOKEN in command]
    written = {command.split("sudo tee ")[1].split(" ")[0]: given for command, given in asked[3:7]}
    assert written[k3s_config.TOKEN] == TOKEN
    assert f"install -D -m 600 /dev/null {k3s_config.TOKEN}" in commands[4]
    assert list(written)[2:] == [
        "/etc/pulumi-jupyterhub/desired.conf",
        "/etc/pulumi-jupyterhub/converge.sh",
    ]
    assert written["/etc/pulumi-jupyterhub/desired.conf"].startswith("ENGINE=k3s\nFILES=")
    assert "is-active --quiet k3s" in commands[2] and "docker" not in commands[2]


def test_who_goes_is_drained_first() -> None:
    host = Answers((1, ""))  # something doesn't end in time
    k3s.let_go(host, ["users-1"], ["gpu-0"])
    drain, forget, old = [command for command, _ in vars(host)["asked"]]
    assert "drain -l pulumi-jupyterhub/node=users-1 --ignore-daemonsets" in drain
    assert "delete node -l pulumi-jupyterhub/node=users-1" in forget
    assert "head -n -1" in old  # the newest is the new VM's


def test_only_who_is_gone_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(k3s, "let_go", lambda host, gone, anew: seen.append((gone, anew)))
    way = {"user": "u", "address": "a", "port": 22, "options": []}
    old = {"input": {"nodes": {"a": "1", "b": "2", "c": "3"}, "ssh": way}}
    new = {"input": {"nodes": {"a": "1", "c": "4", "d": "5"}, "ssh": way}}
    args = pulumi.ResourceHookArgs("", "", "", "", new_inputs=new, old_inputs=old)
    asyncio.run(k3s._on_change(args))
    assert seen == [(["b"], ["c"])]


# --- a cluster that is away ---------------------------------------------------------------------


def in_state(kind: str, name: str, **inputs: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:t::p::{kind}::{name}", "type": kind, "inputs": inputs}


WAY = {"user": "u", "address": "192.0.2.80", "port": 22, "options": ["-i", "key"]}
STATE = {
    "deployment": {
        "resources": [
            in_state(STASH, "cluster-server-0-ready", input={"ssh": WAY, "desired": ""}),
            in_state(STASH, "cluster-nodes", input={"ssh": WAY, "nodes": {"server-0": "1"}}),
            in_state(CLAIM, "state"),
            in_state(RELEASE, "hub"),
            in_state(PROVIDER, "provider"),
        ]
    }
}


def test_the_commands_know_a_clusters_first_server() -> None:
    found = Machine.of_cluster(STATE)
    assert found is not None and found.address == "192.0.2.80"
    assert Machine.of(STATE) is None  # no engine of Docker's
    assert len(Machine.others(STATE)) == 1
    names = [urn.rsplit("::", 1)[1] for urn in machine.in_cluster(STATE)]
    assert names == ["state", "hub"]
    assert Machine.of_cluster({"deployment": {"resources": []}}) is None


def test_a_dead_cluster_is_taken_away_without_a_docker_engine_here() -> None:
    """`make down` would ask this machine's engine for servers of users, and wait for it."""
    assert remove.engine_of(STATE) is None
    assert remove.engine_of({"deployment": {"resources": []}}) is not None
