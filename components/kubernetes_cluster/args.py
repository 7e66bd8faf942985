"""Args of a Kubernetes cluster: one that exists, or one that the stack makes."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator

from ..args import Args, InputSecret, field
from ..machine.args import Cidr, HostArgs
from ..shared_volume.args import SharedVolumeArgs, VolumeKind
from .gpu import GpuArgs, marked
from .pools import PoolArgs

_ELSEWHERE = "refused by protected volumes, which can't move: make a new stack instead"
_NEXT_TIME = "nothing on the running system; used from the next command on"
_HOSTS = "joins or drains machines; what runs on a drained one starts anew elsewhere"


class ClusterKind(str, Enum):
    """Who makes the cluster, and how."""

    existing = "existing"
    k3s = "k3s"
    eks = "eks"
    gke = "gke"


class Cloud(str, Enum):
    """Clouds that the machines of a k3s cluster may be in."""

    aws = "aws"
    gcp = "gcp"
    openstack = "openstack"


# The cloud that a managed cluster is in.
_CLOUDS = {ClusterKind.eks: Cloud.aws, ClusterKind.gke: Cloud.gcp}
# Made by the stack, and nothing in them offers GPUs.
_WITHOUT_PLUGIN = (ClusterKind.k3s, ClusterKind.eks)
# What only goes with some kinds.
_GOES_WITH: dict[str, tuple[ClusterKind, ...]] = {
    "kubeconfig": (ClusterKind.existing,),
    "kubeconfig_file": (ClusterKind.existing,),
    "context": (ClusterKind.existing,),
    "cloud": (ClusterKind.k3s,),
    "servers": (ClusterKind.k3s,),
    "hosts": (ClusterKind.k3s,),
    "snapshots": (ClusterKind.k3s,),
    "data": (ClusterKind.k3s,),
    "cidr": (ClusterKind.k3s,),
    "token": (ClusterKind.k3s,),
    "version": (ClusterKind.k3s, ClusterKind.eks, ClusterKind.gke),
    "api_from": (ClusterKind.k3s, ClusterKind.eks, ClusterKind.gke),
}


class ClusterHostArgs(HostArgs):
    """A machine that exists and becomes a node of a k3s cluster."""

    server: bool = field(
        False,
        description="Whether it keeps the cluster's state, too: one machine or three.",
        change="refused while it is there: a server joins or leaves as another machine",
    )
    first: bool = field(
        False,
        description="With three servers: the one that has made the cluster; the others join it.",
        change="refused by k3s: each server stays in the cluster that it is in",
    )
    pool: str | None = field(
        None,
        pattern=r"^[a-z][a-z0-9-]{0,30}$",
        description="The pool whose labels and taints it gets. Default: none.",
        change="in place; pods that run stay where they are",
    )


class SnapshotsArgs(Args):
    """Snapshots of a k3s cluster's own state (etcd), beside the state itself."""

    every: int = field(
        6, ge=1, le=24, unit="hours", description="How often.", change="restarts k3s: seconds"
    )
    keep: int = field(
        8, ge=1, le=1000, description="How many are kept.", change="restarts k3s: seconds"
    )


class KubernetesClusterArgs(Args):
    """The Kubernetes cluster that a hub runs on: one that exists, or one that is made."""

    kind: ClusterKind = field(
        ClusterKind.existing,
        description=(
            "`existing`: reached by a kubeconfig; `k3s`: made on VMs of a `cloud`, or on `hosts`; "
            "`eks`, `gke`: the managed clusters of AWS and GCP."
        ),
        change=_ELSEWHERE,
    )
    kubeconfig: InputSecret | None = field(
        None,
        description=(
            "The kubeconfig as text; set it with `pulumi config set --secret --path "
            "jupyterhub:cluster.kubeconfig < file`. Default: `kubeconfig_file`."
        ),
        change=_NEXT_TIME,
    )
    kubeconfig_file: Path | None = field(
        None,
        description="File with the kubeconfig. Default: KUBECONFIG of your shell, ~/.kube/config.",
        change=_NEXT_TIME,
    )
    context: str | None = field(
        None,
        pattern=r"^\S+$",
        description="Context in the kubeconfig. Default: its current one.",
        change=_NEXT_TIME,
    )
    cloud: Cloud | None = field(
        None,
        description="With `k3s`: the cloud that its VMs are in, as `site` and `vm` say.",
        change=_ELSEWHERE,
    )
    hosts: dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,20}$")], ClusterHostArgs
    ] = field(
        {},
        description="With `k3s`, instead of `cloud`: machines that exist, by a name of yours.",
        change=_HOSTS,
    )
    version: str | None = field(
        None,
        pattern=r"^v?1\.\d+(\.\d+)?(\+k3s\d+)?$",
        description=(
            "Of Kubernetes: `1.34` (EKS, GKE), `v1.34.2+k3s1` (k3s). Default: the one that this "
            "release of the library is tried with."
        ),
        change="upgrades in place, servers first; users' servers on a node that is renewed stop",
    )
    servers: int = field(
        1,
        description=(
            "With `cloud`: VMs that keep the cluster's state; 3 go on when one is lost. "
            "Allowed: 1, 3."
        ),
        change="1 to 3: two join in place; 3 to 1 is refused",
    )
    api_from: list[Cidr] = field(
        [],
        description=(
            "Ranges that may reach the cluster's API: your own address as 192.0.2.7/32 at least. "
            "Default with `k3s`: vm.ssh.allow_from."
        ),
        change="in place",
    )
    snapshots: SnapshotsArgs = field(
        SnapshotsArgs(),
        description="With `k3s`: snapshots of the cluster's state.",
        change="see its fields",
    )
    data: SharedVolumeArgs = field(
        SharedVolumeArgs(kind=VolumeKind.block),
        description=(
            "With `cloud`: the disk of each server. It keeps the cluster's state and all claims of "
            "its own storage class, and outlives the VM."
        ),
        change="grows in place; else refused while protected",
    )
    cidr: Cidr | None = field(
        None,
        description=(
            "With `cloud` and several nodes: the range of the network that they are on. "
            "Default: vm.network.cidr, where that network is the stack's own."
        ),
        change="in place",
    )
    token: InputSecret | None = field(
        None,
        description=(
            "With `k3s`: what nodes join by, a long random text. Default in a stack: "
            "secrets.cluster_token, made by `make setup`."
        ),
        change="refused by k3s: `k3s token rotate` changes it, before it is changed here",
    )
    namespace: str | None = field(
        None,
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="Namespace for everything. Default: a new one named after the stack.",
        change=_ELSEWHERE,
    )
    storage_class: str | None = field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description=(
            "Storage class of new volumes. Default: the cluster's own; "
            "`kubectl get storageclass` lists them."
        ),
        change="nothing on the volumes that are there; used for new ones",
    )

    pools: list[PoolArgs] = field(
        [],
        description=(
            "Its nodes, by size. They are made with `k3s` in a cloud, `eks` and `gke`; elsewhere "
            "only said, so that a size that no node has room for is refused."
        ),
        change="see its fields",
    )
    gpu: GpuArgs = field(
        GpuArgs(), description="How GPUs of its nodes are offered.", change="see its fields"
    )

    @property
    def brings_gpus(self) -> bool:
        """Whether the stack installs what offers GPUs to servers."""
        if self.gpu.device_plugin is not None:
            return self.gpu.device_plugin
        has = any(pool.gpus for pool in self.pools)
        return has and self.kind in _WITHOUT_PLUGIN

    @property
    def in_cloud(self) -> Cloud | None:
        """The cloud that the stack makes the cluster in, None where it makes no machines."""
        return _CLOUDS.get(self.kind, self.cloud)

    @property
    def makes_vms(self) -> bool:
        """Whether the stack makes VMs that become its nodes."""
        return self.kind is ClusterKind.k3s and self.cloud is not None

    @property
    def workers(self) -> dict[str, PoolArgs]:
        """The VMs beside the servers, by name: each pool's are numbered."""
        if not self.makes_vms:
            return {}
        return {f"{pool.name}-{n}": pool for pool in self.pools for n in range(pool.min)}

    @property
    def state_keepers(self) -> int:
        """How many machines keep k3s' state."""
        return sum(host.server for host in self.hosts.values()) or self.servers

    @property
    def nodes(self) -> int:
        """How many nodes k3s has."""
        return len(self.hosts) or self.servers + len(self.workers)

    @model_validator(mode="after")
    def _one_kubeconfig(self) -> Self:
        if self.kubeconfig is not None and self.kubeconfig_file is not None:
            raise ValueError("give either `kubeconfig` (text) or `kubeconfig_file`, not both")
        return self

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        for name, kinds in _GOES_WITH.items():
            if name in self.model_fields_set and self.kind not in kinds:
                allowed = ", ".join(kind.value for kind in kinds)
                raise ValueError(f"`{name}` goes with kind {allowed}, not with {self.kind.value}")
        if self.kind is ClusterKind.k3s and bool(self.cloud) == bool(self.hosts):
            raise ValueError("k3s needs either `cloud` (VMs are made) or `hosts` (they exist)")
        if self.kind is ClusterKind.k3s and self.version and "+k3s" not in self.version:
            raise ValueError(
                f"version `{self.version}` is not like v1.35.4+k3s1, as k3s calls them"
            )
        return self

    @model_validator(mode="after")
    def _servers_agree(self) -> Self:
        named = sum(host.server for host in self.hosts.values())
        if self.hosts and named not in (1, 3):
            raise ValueError(f"1 or 3 of the hosts with `server: true`, not {named}")
        firsts = [name for name, host in self.hosts.items() if host.first and host.server]
        if named == 3 and len(firsts) != 1:  # by its name, a new one could seem to be it
            raise ValueError("three servers: `first: true` for the one that makes the cluster")
        if self.hosts and "servers" in self.model_fields_set:
            raise ValueError("`servers` goes with `cloud`; give hosts `server: true`")
        if self.servers not in (1, 3):
            raise ValueError(f"servers is 1 or 3, not {self.servers}: others lose or gain nothing")
        return self

    @model_validator(mode="after")
    def _nodes_with_gpus_say_so(self) -> Self:
        if self.kind in _WITHOUT_PLUGIN:
            object.__setattr__(self, "pools", [marked(pool) for pool in self.pools])
        return self

    @model_validator(mode="after")
    def _gpus_are_offered_once(self) -> Self:
        if self.kind is ClusterKind.gke and self.gpu.device_plugin:
            raise ValueError("gpu.device_plugin: GKE brings its own; two would fight: leave it out")
        if self.gpu.time_slicing > 1 and not self.brings_gpus:
            raise ValueError(
                "gpu.time_slicing is done by the stack's own device plugin: give a pool with "
                "`gpus` with k3s or eks, or `gpu.device_plugin: true` where the cluster has none"
            )
        return self

    @model_validator(mode="after")
    def _pools_are_told_apart(self) -> Self:
        names = [pool.name for pool in self.pools]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two pools are called {', '.join(sorted(twice))}")
        for name, host in self.hosts.items():
            if host.pool and host.pool not in names:
                raise ValueError(f"hosts.{name}.pool: there is no pool {host.pool}")
        if self.kind in _CLOUDS and not (self.pools and self.api_from):
            raise ValueError(f"{self.kind.value} needs pools, and api_from with your own address")
        return self

    @model_validator(mode="after")
    def _a_managed_cluster_can_run(self) -> Self:
        if self.kind not in _CLOUDS:
            return self
        if not any(pool.for_all for pool in self.pools):
            raise ValueError(
                f"{self.kind.value} needs a pool for the cluster's own pods and the hub: min 1 or "
                "more, without gpus, taints and spot"
            )
        if self.version and not re.fullmatch(r"1\.\d+", self.version):
            raise ValueError(f"version of {self.kind.value} is like 1.34, not {self.version}")
        return self
