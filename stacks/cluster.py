"""A cluster that a stack makes, and what its hub needs to know of it."""

from __future__ import annotations

from typing import Any

import pulumi

from components import Cluster, Site
from components.config import StackConfig
from components.kubernetes_cluster.args import ClusterKind, KubernetesClusterArgs
from components.kubernetes_cluster.k3s_config import DATA
from components.platforms.charts import merged
from components.traefik_proxy.args import TraefikProxyArgs

from . import preflight


def cluster(stack: str, config: StackConfig, deployment: str) -> Cluster | None:
    """Makes it; None where it exists already."""
    if config.cluster.kind is ClusterKind.existing:
        return None
    args = config.cluster.model_copy(update={"token": config.cluster_token})
    site = _site(stack, config, deployment)
    return Cluster("cluster", args, site, config.vm, config.secrets.ssh_key)


def identity(args: KubernetesClusterArgs) -> str:
    """What makes it another cluster, and what doesn't: not its version, not its nodes."""
    return f"{args.kind.value} in {args.in_cloud.value}" if args.in_cloud else args.kind.value


def _site(stack: str, config: StackConfig, deployment: str) -> Site | None:
    if config.cloud is None:
        return None
    site = Site.connect(config.cloud, deployment, config.site)
    if config.vm:
        preflight.check(stack, config, site)
    return site


def proxy(config: StackConfig) -> TraefikProxyArgs:
    """The proxy's args: in k3s it is on a server, for these let browsers in."""
    if config.cluster.kind is not ClusterKind.k3s:
        return config.proxy
    values: dict[str, Any] = {"nodeSelector": {DATA: "true"}}
    if (
        config.cluster.state_keepers > 1
    ):  # each server's address leads to it, at a price: not who came
        values["service"] = {"spec": {"externalTrafficPolicy": "Cluster"}}
    own = config.proxy.cluster
    inner = own.model_copy(update={"values": merged(values, own.values)})
    return config.proxy.model_copy(update={"cluster": inner})


def outputs(made: Cluster | None) -> dict[str, Any]:
    """What a stack tells of a cluster of its own."""
    if made is None:
        return {}
    first: pulumi.Output[str] = made.addresses.apply(lambda known: known[0])
    return {"addresses": made.addresses, "address": first}
