"""Whether what a stack file says will work in a cluster, as far as the cluster tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..jupyterhub_host.servers import LimitsArgs
from ..preflight.findings import Finding, Verdict
from ..shared_volume.args import SharedVolumeArgs, VolumeKind
from .api import Facts, Node


@dataclass(frozen=True)
class Asked:
    """What a stack wants of a cluster.

    Attributes:
        releases: names of the stack's own releases of charts.
        volumes: by their name in the stack file.
        sizes: of servers, by their path in the stack file.
        has_pools: the nodes of `sizes` are said in the stack file, or made with it.
        brings_gpus: nodes offer their GPUs only once the stack's device plugin is there.
    """

    namespace: str
    releases: Sequence[str]
    storage_class: str | None
    ingress_class: str | None
    volumes: Mapping[str, SharedVolumeArgs]
    sizes: Mapping[str, LimitsArgs]
    has_pools: bool = False
    brings_gpus: bool = False


def check(asked: Asked, facts: Facts) -> list[Finding]:
    """All that is known to fail."""
    found = [*_storage(asked, facts), *_ingress(asked, facts), *_releases(asked, facts)]
    return [*found, *_sizes(asked, facts)]


def _storage(asked: Asked, facts: Facts) -> Iterator[Finding]:
    classes = facts.storage_classes
    if classes is None:
        yield Finding.unknown("cluster.storage_class", "this account may not list storage classes")
        return
    there = f"one that exists: {', '.join(classes)}" if classes else "none exists; make one first"
    if asked.storage_class and asked.storage_class not in classes:
        yield _refused("cluster.storage_class", f"`{asked.storage_class}`", there)
    for name, args in asked.volumes.items():
        if args.volume:
            if facts.claims is not None and str(args.volume) not in facts.claims:
                claims = ", ".join(facts.claims) or "none"
                yield _refused(f"volumes.{name}.volume", f"`{args.volume}`", f"a claim: {claims}")
        elif args.kind is VolumeKind.filesystem:
            continue
        elif args.type and args.type not in classes:
            yield _refused(f"volumes.{name}.type", f"`{args.type}`", there)
        elif not (args.type or asked.storage_class or facts.has_default):
            yield _refused("cluster.storage_class", "nothing, and no default class", there)


def _ingress(asked: Asked, facts: Facts) -> Iterator[Finding]:
    wanted, classes = asked.ingress_class, facts.ingress_classes
    if wanted and classes is not None and wanted not in classes:
        there = f"one that exists: {', '.join(classes)}" if classes else "none: leave it out"
        yield _refused("proxy.cluster.ingress_class", f"`{wanted}`", there)


def _releases(asked: Asked, facts: Facts) -> Iterator[Finding]:
    """The chart's services have fixed names: two hubs in one namespace would fight for them."""
    others = sorted(set(facts.releases) - set(asked.releases))
    if others:
        yield _refused(
            "cluster.namespace",
            f"`{asked.namespace}`, which holds somebody else's release: {', '.join(others)}",
            "a namespace of this stack's own",
        )


def _sizes(asked: Asked, facts: Facts) -> Iterator[Finding]:
    if not facts.nodes or asked.has_pools:  # an autoscaler may bring other nodes
        return
    for path, limits in asked.sizes.items():
        if not any(_holds(node, limits, asked.brings_gpus) for node in facts.nodes):
            largest = max(facts.nodes, key=lambda node: (node.gpus, node.memory))
            yield _refused(path, needs(limits), f"what a node has: at most {_has(largest)}")


def _holds(node: Node, limits: LimitsArgs, brings_gpus: bool) -> bool:
    fits = (brings_gpus or limits.gpus <= node.gpus) and limits.cpu_guarantee <= node.cpus
    return fits and int(limits.memory_guarantee) <= node.memory


def needs(limits: LimitsArgs) -> str:
    """What is kept for one server, in words."""
    memory = int(limits.memory_guarantee) / 1024**3
    return f"{memory:.1f} GiB, {limits.cpu_guarantee:g} cores, {limits.gpus} GPUs for each server"


def _has(node: Node) -> str:
    return f"{node.memory / 1024**3:.1f} GiB, {node.cpus:g} cores, {node.gpus} GPUs"


def _refused(path: str, found: str, allowed: str) -> Finding:
    return Finding(path, Verdict.refused, found, allowed)
