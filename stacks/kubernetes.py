"""A hub in a Kubernetes cluster: one that exists, or one that the stack makes."""

from __future__ import annotations

from typing import Any

from components import (
    Cluster,
    DaskCluster,
    ImageStore,
    JupyterHubHost,
    KubernetesCluster,
    SharedVolume,
    TraefikProxy,
)
from components.config import StackConfig
from components.dask_cluster.kubernetes import for_hub
from components.jupyterhub_host.args import JupyterHubHostArgs
from components.platforms.charts import merged

from . import apps, cluster_checks
from . import cluster as own
from .outputs import outputs
from .preflight import warn_of_names, warn_of_origin

KEPT = ("homes", "shared", "state", "certificates")


def compose(stack: str, config: StackConfig) -> dict[str, Any]:
    """Makes everything and returns the stack's outputs."""
    warn_of_origin(config)
    warn_of_names(config)
    cluster, made = _cluster(stack, config, f"jupyterhub-{stack}")
    kept = {name: SharedVolume(name, getattr(config.volumes, name), cluster) for name in KEPT}
    images = ImageStore(cluster, config.egress)
    proxy = TraefikProxy("proxy", own.proxy(config), cluster, images, kept["certificates"])
    args = _hub_args(config, cluster)
    hub = JupyterHubHost("hub", args, config.secrets, cluster, images, proxy, kept)
    if config.dask:
        DaskCluster("dask", config.dask, cluster, images, hub, kept["shared"])
    beside = apps.compose(config, cluster, hub, proxy)
    return (
        outputs(stack, config, hub)
        | beside
        | {
            "hub_url": hub.url,
            "namespace": cluster.namespace,
            "kubeconfig": cluster.kubeconfig,
            "api_endpoint": cluster.kubeconfig.apply(cluster_checks.endpoint),
        }
        | own.outputs(made)
    )


def _cluster(
    stack: str, config: StackConfig, deployment: str
) -> tuple[KubernetesCluster, Cluster | None]:
    """The cluster; one that exists is asked first whether the stack file fits it."""
    made = own.cluster(stack, config, deployment)
    if made:
        cluster_checks.keep_to(own.identity(config.cluster))
        return KubernetesCluster.connect(deployment, config.cluster, made.made), made
    facts = cluster_checks.check(stack, config, deployment)
    cluster = KubernetesCluster.connect(deployment, config.cluster)
    cluster_checks.keep_to(facts and facts.id)
    return cluster, None


def _hub_args(config: StackConfig, cluster: KubernetesCluster) -> JupyterHubHostArgs:
    """The hub's args, which know of the gateway where there is one."""
    dask = for_hub(cluster.named("dask")) if config.dask else {}
    known = merged(dask, apps.for_hub(config, cluster.deployment))
    values = merged(known, config.hub.values)
    return config.hub.model_copy(update={"values": values})
