"""A hub in a Kubernetes cluster."""

from __future__ import annotations

from typing import Any

from components import (
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
from .outputs import outputs

KEPT = ("homes", "shared", "state", "certificates")


def compose(stack: str, config: StackConfig) -> dict[str, Any]:
    """Makes everything and returns the stack's outputs."""
    deployment = f"jupyterhub-{stack}"
    facts = cluster_checks.check(stack, config, deployment)
    cluster = KubernetesCluster.connect(deployment, config.cluster)
    cluster_checks.keep_to(facts, config)
    kept = {name: SharedVolume(name, getattr(config.volumes, name), cluster) for name in KEPT}
    images = ImageStore(cluster, config.egress)
    proxy = TraefikProxy("proxy", config.proxy, cluster, images, kept["certificates"])
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
    )


def _hub_args(config: StackConfig, cluster: KubernetesCluster) -> JupyterHubHostArgs:
    """The hub's args, which know of the gateway where there is one."""
    dask = for_hub(cluster.named("dask")) if config.dask else {}
    known = merged(dask, apps.for_hub(config, cluster.deployment))
    values = merged(known, config.hub.values)
    return config.hub.model_copy(update={"values": values})
