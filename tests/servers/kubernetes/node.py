"""A real Kubernetes of one node: API server, scheduler, kubelet, containerd, DNS.

It lives in namespaces of its own: one kill ends all of it, and this machine sees a pair of network
devices and a cgroup. Not there: NetworkPolicy (the bridge doesn't enforce it), dynamic
provisioning of volumes, load balancers, a second node.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from toolchain.setup.steps import apt_install, is_root, lock

from . import build
from .certificates import Authority, key, private, public

NAME, ADDRESS, GATEWAY, DEVICES = "node1", "10.98.0.2", "10.98.0.1", ("one-node0", "one-node1")
PODS, SERVICES, DNS, API = "10.245.0.0/24", "10.96.0.0/16", "10.96.0.10", "10.96.0.1"
CGROUPS = Path("/sys/fs/cgroup")
CGROUP = "pulumi-jupyterhub-one-node"
PACKAGES = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "unshare": "util-linux",
    "sysctl": "procps",
}
_PATIENCE = 300  # seconds


def missing() -> str | None:
    """Why this machine can't have one, or nothing."""
    if not is_root():
        return "only root can start a node"
    if not (CGROUPS / "memory").is_dir():
        return "the node knows cgroup version 1 only"
    return None


def programs() -> Path:
    """Where all is that a node needs, once it is there."""
    if packages := [package for name, package in PACKAGES.items() if not shutil.which(name)]:
        apt_install(*packages)
    return build.folder()


@contextmanager
def running() -> Iterator[Node]:
    """A node without anything on it, ended afterwards; one at a time on a machine."""
    node = Node(programs())
    with lock("kubernetes-node"):
        node.start()
        try:
            yield node
        finally:
            node.stop()


class Node:
    """The node's files, and its first process."""

    storage_class: str | None = "folders"

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.run = programs / "run"
        self.kubeconfig = self.run / "pki" / "admin.conf"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when pods can be made and names resolve: about 15 seconds."""
        self._clean()
        for folder in ("logs", "conf", "cni", "pki"):
            (self.run / folder).mkdir(parents=True)
        self._certificates()
        self._settings()
        for controller in CGROUPS.iterdir():
            if controller.is_dir() and not controller.is_symlink():
                (controller / CGROUP).mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            own = CGROUPS / "cpuset" / CGROUP / file
            own.write_text((CGROUPS / "cpuset" / file).read_text())
        self._process = self._first_process()
        self._connect(self._process)
        self._until_ready()

    def stop(self) -> None:
        """Ends all of it; images stay for the next one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        time.sleep(0.5)  # for the kernel to take the namespaces down
        self._clean()

    def load(self, image: str) -> None:
        """Brings an image of this machine's Docker engine onto the node: 13 s for 700 MB."""
        look = ["docker", "image", "inspect", "--format={{.Id}}", image]
        identity = subprocess.run(look, capture_output=True, text=True, check=True).stdout.strip()
        name = image if image.count("/") > 1 else f"docker.io/{image}"
        same = f'name=={name},labels."loaded"=={identity}'
        if self._ctr("images", "ls", "-q", same).stdout.strip():
            return  # the one that is meant, and not an older one of the same name
        save = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
        done = self._ctr("images", "import", "-", given=save.stdout)
        assert save.wait() == 0 and done.returncode == 0, done.stderr
        self._ctr("images", "label", name, f"loaded={identity}")

    def volumes(self, namespace: str, *names: str) -> list[dict[str, Any]]:
        """A folder for each claim: nothing here makes volumes by itself."""
        made = [_CLASS]
        for name in names:
            folder = self.run / "volumes" / namespace / name
            folder.mkdir(parents=True)
            os.chown(folder, 1000, 100)  # Kubernetes gives folders of the node to nobody
            made.append(_volume(folder, namespace, name))
        return made

    def _ctr(self, *words: str, given: Any = None) -> subprocess.CompletedProcess[str]:
        command = ["ctr", "-a", str(self.run / "containerd.sock"), "-n", "k8s.io", *words]
        return subprocess.run(command, stdin=given, capture_output=True, text=True, check=False)

    def _clean(self) -> None:
        """Takes away what an earlier node left, all but its images."""
        subprocess.run(["ip", "link", "del", DEVICES[0]], capture_output=True, check=False)
        for folder in CGROUPS.glob(f"*/{CGROUP}"):
            for inner in sorted(folder.rglob("*/"), key=lambda path: -len(path.parts)):
                if inner.is_dir():
                    inner.rmdir()
            folder.rmdir()
        for left in self.run.glob("*"):
            if left.name != "images":
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _certificates(self) -> None:
        pki, authority, server = self.run / "pki", Authority.make(), f"https://{ADDRESS}:6443"
        inside = ["kubernetes.default.svc.cluster.local", "kubernetes.default.svc"]
        hosts = [*inside, "kubernetes.default", "kubernetes", "localhost", "127.0.0.1"]
        for name, user, group, known in (
            ("apiserver", "kube-apiserver", None, [*hosts, API, ADDRESS]),
            ("kubelet-client", "apiserver-kubelet-client", "system:masters", []),
        ):
            certificate, own = authority.issue(user, group, known)
            (pki / f"{name}.crt").write_text(certificate)
            (pki / f"{name}.key").write_text(own)
        for user, group in (
            ("admin", "system:masters"),
            ("system:kube-controller-manager", None),
            ("system:kube-scheduler", None),
            ("system:kube-proxy", None),
            (f"system:node:{NAME}", "system:nodes"),
        ):
            authority.kubeconfig(server, user, group, pki)
        accounts = key()
        (pki / "accounts.key").write_text(private(accounts))
        (pki / "accounts.pub").write_text(public(accounts))

    def _settings(self) -> None:
        conf = self.run / "conf"
        (conf / "containerd.toml").write_text(_CONTAINERD.format(run=self.run))
        (conf / "resolv.conf").touch()
        (conf / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(self.run)))
        (conf / "proxy.yaml").write_text(yaml.safe_dump(_proxy(self.run)))
        (self.run / "cni" / "10-pods.conflist").write_text(json.dumps(_pods(self.run)))

    def _first_process(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "RUN": str(self.run),
            "PROGRAMS": str(self.programs),
            "NODE": NAME,
            "ADDRESS": ADDRESS,
            "GATEWAY": GATEWAY,
            "SERVICES": SERVICES,
            "DEVICE": DEVICES[1],
        }
        # It never outlives the tests, however these end.
        alone = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--uts"]
        own = ["--fork", "--kill-child=KILL", "--mount-proc", "--propagation", "private"]
        script = Path(__file__).with_name("node.sh")
        with (self.run / "logs" / "node.log").open("wb") as log:
            return subprocess.Popen(
                [*alone, *own, "bash", str(script)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _connect(self, process: subprocess.Popen[bytes]) -> None:
        """Joins this machine and the node by a pair of devices."""
        look = ["pgrep", "-P", str(process.pid)]
        deadline = time.monotonic() + 10
        while not (child := subprocess.run(look, capture_output=True, text=True).stdout.strip()):
            assert time.monotonic() < deadline, "the node's first process doesn't start"
            time.sleep(0.05)
        outer, inner = DEVICES
        for command in (
            f"link add {outer} type veth peer name {inner} netns {child}",
            f"addr add {GATEWAY}/24 dev {outer}",
            f"link set {outer} up",
        ):
            subprocess.run(["ip", *command.split()], check=True)

    def _until_ready(self) -> None:
        ready = f"wait --for=condition=Ready node/{NAME} --timeout=1s"
        dns = Path(__file__).with_name("dns.yaml").read_text()
        rollout = f"-n kube-system rollout status deploy/coredns --timeout={_PATIENCE}s"
        self._until(*ready.split())
        self._until("get", "serviceaccount", "default")  # without it no pod can be made
        self._kubectl("apply", "-f", "-", given=dns)
        self._kubectl(*rollout.split())

    def _kubectl(self, *words: str, given: str | None = None) -> None:
        command = [self.programs / "kubectl", "--kubeconfig", self.kubeconfig, *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"

    def _until(self, *words: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._kubectl(*words)
                return
            except AssertionError as error:
                if time.monotonic() > deadline:
                    logs = self.run / "logs"
                    raise AssertionError(f"the node doesn't start: {error}; see {logs}") from None
            time.sleep(0.2)


_CLASS: dict[str, Any] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": Node.storage_class},
    "provisioner": "kubernetes.io/no-provisioner",
}


def _volume(folder: Path, namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-{name}"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": _CLASS["metadata"]["name"],
            "hostPath": {"path": str(folder)},
            "claimRef": {"name": name, "namespace": namespace},
        },
    }


_CONTAINERD = """
version = 2
root = "{run}/images"
state = "{run}/containerd"
[grpc]
  address = "{run}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true  # without CAP_SYS_RESOURCE runc dies otherwise
  sandbox_image = "docker.io/local/pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{run}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def _kubelet(run: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{run}/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failSwapOn": False,
        "failCgroupV1": False,
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{run}/conf/resolv.conf",
        "containerRuntimeEndpoint": f"unix://{run}/containerd.sock",
        "nodeStatusUpdateFrequency": "5s",
        "volumePluginDir": f"{run}/plugins",
        "podLogsDir": f"{run}/podlogs",
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
    }


def _proxy(run: Path) -> dict[str, Any]:
    # Slower ones lose the first second of a new service, and DNS looks flaky.
    rules = {"minSyncPeriod": "10ms"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "iptables": rules,
        "nftables": rules,
        "clientConnection": {"kubeconfig": f"{run}/pki/system-kube-proxy.conf"},
        "clusterCIDR": PODS,
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def _pods(run: Path) -> dict[str, Any]:
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": f"{run}/ipam",
                    "ranges": [[{"subnet": PODS}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
