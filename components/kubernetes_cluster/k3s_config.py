"""What k3s reads on each node: plain values, so that tests compare them exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ..cloud_vm.args import IngressArgs, Protocol
from .args import SnapshotsArgs
from .pools import GPU, PoolArgs

# The version that this release of the library is written for, and where its vendor keeps it.
VERSION = "v1.35.4+k3s1"
RELEASES = "https://github.com/k3s-io/k3s/releases/download"

API = 6443
CONFIG = "/etc/rancher/k3s/config.yaml"
TOKEN = "/etc/rancher/k3s/token"
MANIFEST = "/etc/rancher/k3s/manifest.yaml"  # the converge script puts it where k3s looks
STORAGE_CLASS = "jupyterhub-data"
ACCOUNT = "pulumi-jupyterhub"
NODE = "pulumi-jupyterhub/node"
POOL = "pulumi-jupyterhub/pool"
DATA = "pulumi-jupyterhub/data"  # of nodes whose disk is kept
_INGRESS = "svccontroller.k3s.cattle.io/enablelb"
_STARTS_WITHIN = 300  # seconds
_PROCESSES = 4096  # of one pod: a fork bomb ends in its own pod


@dataclass(frozen=True)
class Node:
    """A node before it is there.

    Attributes:
        joins: the server that it joins by; None for the first one, which makes the cluster.
    """

    name: str
    is_server: bool
    joins: str | None = None
    pool: PoolArgs | None = None


def config(node: Node, address: str, private: str, snapshots: SnapshotsArgs) -> str:
    """The node's config.yaml. A machine that exists has one address only, which may be a name."""
    values: dict[str, Any] = {
        "node-name": node.name,
        "token-file": TOKEN,
        "node-label": labels(node),
        "kubelet-arg": [f"pod-max-pids={_PROCESSES}"],
    }
    if address != private:  # or pods would be sent round by the public one
        values["node-ip"] = private
    if node.joins:
        values["server"] = f"https://{node.joins}:{API}"
    if node.pool and (taints := _taints(node.pool)):
        values["node-taint"] = taints
    if node.pool and node.pool.gpus:
        values["default-runtime"] = "nvidia"
    if node.is_server:
        values |= _of_server(node, address, private, snapshots)
    else:  # with a new VM it is another node: nothing is left of the old one's
        values["with-node-id"] = True
    return yaml.safe_dump(values, sort_keys=True)


def _of_server(node: Node, address: str, private: str, snapshots: SnapshotsArgs) -> dict[str, Any]:
    own: dict[str, Any] = {
        "tls-san": [address],
        "secrets-encryption": True,
        "disable": ["traefik"],  # the hub's own comes from its chart
        "etcd-snapshot-schedule-cron": f"0 */{snapshots.every} * * *",
        "etcd-snapshot-retention": snapshots.keep,
        "write-kubeconfig-mode": "0600",
    }
    if not node.joins:
        own["cluster-init"] = True
    if address != private:
        own |= {"node-external-ip": address, "advertise-address": private}
    return own


def labels(node: Node) -> list[str]:
    """What tells nodes apart. Browsers come in by servers, whose disks keep claims."""
    found = {NODE: node.name}
    if node.is_server:
        found |= {DATA: "true", _INGRESS: "true"}
    if node.pool:
        found |= {POOL: node.pool.name, **node.pool.labels}
    return [f"{key}={value}" for key, value in sorted(found.items())]


def _taints(pool: PoolArgs) -> list[str]:
    gpu = [f"{GPU}=present:NoSchedule"] if pool.gpus else []
    return [*gpu, *pool.taints]


def settings(is_server: bool, version: str | None, data: str, servers: int) -> dict[str, str]:
    """The node's part of desired.conf, which is in its user data."""
    found = version or VERSION
    own = {"K3S_DATA": data, "K3S_SERVERS": str(servers)} if is_server else {}
    return {
        "K3S_ROLE": "server" if is_server else "agent",
        "K3S_VERSION": found if found.startswith("v") else f"v{found}",
        "K3S_RELEASES": RELEASES,
        "K3S_WITHIN": str(_STARTS_WITHIN),
        **own,
    }


def ingress(
    is_server: bool, servers: int, nodes: int, inside: str, api_from: list[str]
) -> list[IngressArgs]:
    """What a node lets in beside ssh and, on servers, HTTP and HTTPS."""
    api = [_rule(API, source, "kubernetes api") for source in api_from if is_server]
    if nodes == 1:
        return api
    own = [_rule(10250, inside, "kubelet"), _rule(8472, inside, "flannel", Protocol.udp)]
    own += [_rule(API, inside, "kubernetes api")] if is_server else []
    own += [_rule("2379-2380", inside, "etcd")] if is_server and servers > 1 else []
    return [*api, *own]


def _rule(
    ports: int | str, source: str, what: str, protocol: Protocol = Protocol.tcp
) -> IngressArgs:
    return IngressArgs(protocol=protocol, ports=ports, source=source, description=what)


def manifest() -> str:
    """What the first server makes in the cluster by itself: a storage class, and our account.

    The class keeps claims on nodes whose disk is kept, and keeps what was in a deleted one. The
    account's token doesn't expire, as the certificate in k3s' own kubeconfig does after a year.
    """
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS},
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Retain",
        "allowedTopologies": [{"matchLabelExpressions": [{"key": DATA, "values": ["true"]}]}],
    }
    return yaml.safe_dump_all([storage, *_account()], sort_keys=True)


def _account() -> list[dict[str, Any]]:
    named = {"name": ACCOUNT, "namespace": "kube-system"}
    note = {"annotations": {"kubernetes.io/service-account.name": ACCOUNT}}
    rights = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "cluster-admin",
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ACCOUNT},
            "roleRef": rights,
            "subjects": [{"kind": "ServiceAccount", **named}],
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {**named, **note},
        },
    ]


def kubeconfig(access: Mapping[str, str], address: str) -> str:
    """The way in from outside, by the first server's address."""
    cluster = {
        "server": f"https://{address}:{API}",
        "certificate-authority-data": access["certificate"],
    }
    context = {"cluster": "k3s", "user": ACCOUNT}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "k3s", "cluster": cluster}],
        "users": [{"name": ACCOUNT, "user": {"token": access["token"]}}],
        "contexts": [{"name": "k3s", "context": context}],
        "current-context": "k3s",
    }
    return yaml.safe_dump(document)
