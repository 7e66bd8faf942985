"""Helm charts: which ones, in which version, and how a release of one is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from ..kubernetes_cluster import api
from .kubernetes import KubernetesCluster


@dataclass(frozen=True)
class Chart:
    """A chart in the version that the mapping of its values is written for."""

    name: str
    repository: str
    version: str


# The one place where charts are pinned.
CHARTS: Mapping[str, Chart] = {
    each.name: each
    for each in (
        Chart("jupyterhub", "https://hub.jupyter.org/helm-chart/", "4.4.2"),
        Chart("traefik", "https://traefik.github.io/charts", "41.3.0"),
        Chart("dask-gateway", "https://helm.dask.org", "2026.3.0"),
        Chart("cluster-autoscaler", "https://kubernetes.github.io/autoscaler", "9.59.0"),
        Chart(
            "kube-prometheus-stack", "https://prometheus-community.github.io/helm-charts", "88.5.3"
        ),
        Chart("metrics-server", "https://kubernetes-sigs.github.io/metrics-server/", "3.13.1"),
        Chart("headlamp", "https://kubernetes-sigs.github.io/headlamp/", "0.45.0"),
        Chart("nvidia-device-plugin", "https://nvidia.github.io/k8s-device-plugin", "0.20.0"),
    )
}
TIMEOUT = 900  # seconds for all pods of a release: images have to be pulled first


def release(
    name: str,
    cluster: KubernetesCluster,
    parent: pulumi.Resource,
    *,
    chart: Chart,
    values: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
    depends_on: Sequence[pulumi.Resource] = (),
    timeout: int = TIMEOUT,
    **more: Any,
) -> kubernetes.helm.v3.Release:
    """A release of a chart. `own` are a user's values, which win over the mapping's.

    A release that failed half way is rolled back or taken away (`atomic`). One whose `up` was
    killed stays pending: a hook lets the next one go on.
    """
    goes_on = _hook(name, cluster)
    return kubernetes.helm.v3.Release(
        name,
        name=cluster.named(name),
        chart=chart.name,
        version=chart.version,
        repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(repo=chart.repository),
        namespace=cluster.namespace,
        values=merged(values, own or {}),
        atomic=True,
        cleanup_on_fail=True,
        timeout=timeout,
        max_history=5,
        opts=pulumi.ResourceOptions.merge(
            cluster.options(parent),
            pulumi.ResourceOptions(
                depends_on=list(depends_on),
                hooks=pulumi.ResourceHookBinding(before_create=[goes_on], before_update=[goes_on]),
            ),
        ),
        **more,
    )


def _hook(name: str, cluster: KubernetesCluster) -> pulumi.ResourceHook:
    """Before anything is changed: what an earlier `up` left pending is no obstacle."""
    known: list[str] = []
    cluster.kubeconfig.apply(known.append)  # there before the provider is, so before any hook

    def go_on(args: pulumi.ResourceHookArgs) -> None:
        client = api.client(known[0], cluster.context)
        # In a cluster that others made, a release that is there may be somebody's: Helm refuses it.
        is_new = cluster.is_own and args.old_inputs is None
        found = api.let_go_on(client, cluster.namespace, cluster.named(name), is_new)
        if found:
            pulumi.log.info(f"{cluster.named(name)} was left half done; going on from there")

    return pulumi.ResourceHook(f"{name}-goes-on", go_on)


def merged(values: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The values with one's own over them: sections are merged, anything else is replaced."""
    result = dict(values)
    for key, value in own.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result
