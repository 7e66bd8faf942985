"""What a Kubernetes cluster can't do, beside the table in support.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .cloud_vm.args import NetworkKind, OperatingSystem, SizeArgs
from .cloud_vm.sizes import NoFit, has_table, smallest, table
from .fault import Fault
from .images import REGISTRY_ONLY
from .jupyterhub_host.pods import KNOWN_CHARTS
from .jupyterhub_host.servers import LimitsArgs
from .kubernetes_cluster.args import ClusterKind
from .kubernetes_cluster.checks import needs
from .platforms.reach import target
from .shared_volume.args import VolumeKind

_KINDS = {
    "homes": ("per_user", "claim", "filesystem"),
    "shared": ("claim", "filesystem"),
    "state": ("claim",),
    "certificates": ("claim",),
}
_NO_LIMIT = {
    "swap": "pods have none",
    "processes": "the kubelet's podPidsLimit says it for all pods of a node",
}


def in_cluster(config: Any) -> Iterator[Fault]:
    """Everything in a stack file that a cluster can't do."""
    yield from _images(config.hub)
    yield from _alike(config.hub)
    yield from _sizes(config)
    yield from _pools(config.cluster)
    yield from _site(config)
    yield from _volumes(config)
    yield from _edge(config.proxy)
    if config.cluster.kind is ClusterKind.k3s:
        yield from _own_disks(config)
        yield from _machines(config)
    yield from _monitoring(config)
    yield from _spark(config)
    yield from _reach(config.hub)
    if config.hub.pods.chart not in KNOWN_CHARTS:
        known = f"a version that values are mapped for: {', '.join(KNOWN_CHARTS)}"
        yield Fault(("hub.pods.chart", config.hub.pods.chart, known))


def _reach(hub: Any) -> Iterator[Fault]:
    """Network policies know addresses only."""
    for number, each in enumerate(hub.reach):
        if target(each).name:
            yield Fault((f"hub.reach.{number}", each, "a range or an address, on kubernetes"))


def _images(hub: Any) -> Iterator[Fault]:
    """Nodes pull from a registry; nothing is built for them."""
    sources = {"hub.image": hub.image}
    sources |= {f"hub.images.{n}.source": image.source for n, image in enumerate(hub.images)}
    for path, source in sources.items():
        if source.built_from:
            yield Fault((path, source.built_from, REGISTRY_ONLY))


def _alike(hub: Any) -> Iterator[Fault]:
    """One chart has one place for homes, and one owner of shared folders."""
    for what in ("home", "uid", "gid"):
        found = {str(getattr(image, what)) for image in hub.images}
        if len(found) > 1:
            why = "the same for all images in a cluster"
            yield Fault((f"hub.images.{what}", " and ".join(sorted(found)), why))


def _sizes(config: Any) -> Iterator[Fault]:
    for kind in ("images", "sizes"):
        for number, limits in enumerate(getattr(config.hub, kind)):
            path = f"hub.{kind}.{number}"
            for name, why in _NO_LIMIT.items():
                if name in limits.model_fields_set:
                    found = str(getattr(limits, name))
                    yield Fault((f"{path}.{name}", found, f"not on kubernetes: {why}"))
            if kind == "sizes" or not config.hub.sizes:
                yield from _fits(path, limits, config.cluster.pools)
            if limits.gpus > 1 and config.cluster.gpu.time_slicing > 1:
                why = "1 while servers take turns (cluster.gpu.time_slicing): two turns are no more"
                yield Fault((f"{path}.gpus", str(limits.gpus), why))


def _fits(path: str, limits: LimitsArgs, pools: Any) -> Iterator[Fault]:
    if pools and not any(pool.holds(limits) for pool in pools):
        names = ", ".join(
            f"{pool.name} ({int(pool.memory) / 1024**3:.0f} GiB, {pool.cpus} cores, "
            f"{pool.gpus} GPUs)"
            for pool in pools
        )
        yield Fault((path, needs(limits), f"what a node of a pool has: {names}"))


def _pools(cluster: Any) -> Iterator[Fault]:
    """Nodes that are made are of a type that the cloud has."""
    for number, pool in enumerate(cluster.pools if cluster.in_cloud else ()):
        if not pool.machine_type:
            yield from too_large(f"cluster.pools.{number}", pool.size, cluster.in_cloud.value)


def _site(config: Any) -> Iterator[Fault]:
    """A managed cluster is somewhere."""
    kind, site = config.cluster.kind.value, config.site
    if kind == "eks" and not site.zone:
        yield Fault(("site.zone", "nothing", "the zone for nodes and disks, like eu-central-1a"))
    if kind == "gke" and not (site.zone or site.region):
        where = "a zone like europe-west1-b, or site.region for a control plane in three zones"
        yield Fault(("site.zone", "nothing", where))


def _volumes(config: Any) -> Iterator[Fault]:
    for name, kinds in _KINDS.items():
        args = getattr(config.volumes, name)
        kind = args.kind.value
        if kind not in kinds:
            allowed = " or ".join(f"`{each}`" for each in kinds)
            yield Fault((f"volumes.{name}.kind", kind, f"{allowed} on kubernetes"))
        elif args.kind is VolumeKind.filesystem and not args.server and not args.volume:
            why = "the NFS server's name, with `path`: what it exports"
            yield Fault((f"volumes.{name}.server", "nothing", why))
    if config.hub.named_servers and config.volumes.homes.kind is VolumeKind.per_user:
        why = "`claim` or `filesystem` with named_servers: a user's servers may be on two nodes"
        yield Fault(("volumes.homes.kind", "per_user", why))


def _edge(proxy: Any) -> Iterator[Fault]:
    kind, own_class = proxy.tls.kind.value, proxy.cluster.ingress_class
    if kind in ("acme", "cert_manager") and not proxy.tls.domains:
        yield Fault(("proxy.tls.domains", "nothing", "names that lead to the cluster's ingress"))
    if kind == "acme" and own_class:
        why = "`cert_manager`, `provided` or `elsewhere` with an ingress class of the cluster's own"
        yield Fault(("proxy.tls.kind", "acme", why))
    if kind == "elsewhere" and not own_class:
        why = "the class that requests come by, with proxy.tls.kind `elsewhere`"
        yield Fault(("proxy.cluster.ingress_class", "nothing", why))
    by_port = proxy.cluster.service.value == "NodePort" and not own_class
    if by_port and not proxy.tls.domains:
        name = "a name that leads to the nodes; 192-0-2-9.sslip.io leads to 192.0.2.9"
        yield Fault(("proxy.tls.domains", "nothing", name))
    if kind == "self_signed" and own_class:
        why = "`cert_manager`, `provided` or `elsewhere`: the cluster's ingress has its own"
        yield Fault(("proxy.tls.kind", "self_signed", why))


def too_large(path: str, size: SizeArgs, cloud: str) -> Iterator[Fault]:
    """A size that no type of the cloud has, where its types are known here."""
    if has_table(cloud):
        try:
            smallest(size, table(cloud))
        except NoFit as error:
            yield Fault((path, error.asked, f"what {cloud} has, the nearest: {error.nearest}"))


def _own_disks(config: Any) -> Iterator[Fault]:
    """k3s' own storage class is a disk of one node, which other nodes don't reach."""
    several = config.cluster.nodes > 1
    for name in ("homes", "shared"):
        args = getattr(config.volumes, name)
        has_class = args.type or args.volume or config.cluster.storage_class
        if has_class or args.kind is VolumeKind.filesystem:
            continue
        if several:
            why = "`filesystem` (NFS), or a `type` that all nodes reach: a claim of k3s is on one"
            yield Fault((f"volumes.{name}.kind", args.kind.value, why))
        elif args.kind is VolumeKind.claim and not args.one_node:
            found = "nothing" if args.one_node is None else "False"
            yield Fault((f"volumes.{name}.one_node", found, "true: k3s' claims are on one node"))


_KNOWN_OS = (OperatingSystem.ubuntu_24_04, OperatingSystem.debian_12)


def _machines(config: Any) -> Iterator[Fault]:
    """VMs of a k3s cluster."""
    cluster, vm, cloud = config.cluster, config.vm, config.cloud
    for number, pool in enumerate(cluster.pools):
        path = f"cluster.pools.{number}"
        if pool.max is not None and pool.max != pool.min:
            why = f"{pool.min}, as min: k3s makes no nodes by itself"
            yield Fault((f"{path}.max", str(pool.max), why))
        if pool.spot and cloud == "openstack":
            yield Fault((f"{path}.spot", "True", "a flavor that is preemptible, as machine_type"))
    if not (cluster.makes_vms and vm):
        return
    if cluster.data.kind is not VolumeKind.block:
        yield Fault(("cluster.data.kind", cluster.data.kind.value, "`block`: a disk of the cloud"))
    if cluster.nodes > 1 and not cluster.cidr and vm.network.kind is not NetworkKind.own:
        why = "the range of the network that the nodes are on, like 10.0.0.0/24"
        yield Fault(("cluster.cidr", "nothing", why))
    if cluster.api_from and vm.network.kind is NetworkKind.flat:
        why = "nothing on a `flat` network: it has no rules of the stack's, but your project's own"
        yield Fault(("cluster.api_from", ", ".join(cluster.api_from), why))
    if cluster.servers > 1 and vm.rebuild:
        why = "0 with three servers, which would all be new at once: docs/kubernetes.md"
        yield Fault(("vm.rebuild", str(vm.rebuild), why))
    if not vm.image and vm.os not in _KNOWN_OS:
        known = " or ".join(f"`{each.value}`" for each in _KNOWN_OS)
        yield Fault(("vm.os", vm.os.value, f"{known} for k3s: others need its SELinux policy"))


def _monitoring(config: Any) -> Iterator[Fault]:
    args, kind = config.monitoring, config.cluster.kind.value
    if args and args.metrics_server and kind in ("k3s", "eks", "gke"):
        yield Fault(("monitoring.metrics_server", "True", f"`false`: {kind} has one"))
    if args and args.host and args.host in map(str, config.proxy.tls.domains):
        why = "a name of its own: pages of the hub's users must not reach Grafana's cookies"
        yield Fault(("monitoring.host", args.host, why))


def _spark(config: Any) -> Iterator[Fault]:
    args, pools = config.spark, config.cluster.pools
    if not args:
        return
    if config.hub.pods.pull_secrets:
        why = "images that nodes may pull by themselves: users' namespaces don't have these secrets"
        yield Fault(("hub.pods.pull_secrets", ", ".join(config.hub.pods.pull_secrets), why))
    labelled = [pool.name for pool in pools if pool.labels]
    if args.pool and args.pool not in labelled:
        there = ", ".join(labelled) or "none"
        yield Fault(("spark.pool", args.pool, f"a pool with labels: {there}"))
