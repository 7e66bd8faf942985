"""A hub in a Kubernetes cluster."""

from __future__ import annotations

from typing import Any

from components import ImageStore, JupyterHubHost, KubernetesCluster, SharedVolume, TraefikProxy
from components.config import StackConfig

from . import cluster_checks
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
    hub = JupyterHubHost("hub", config.hub, config.secrets, cluster, images, proxy, kept)
    return outputs(stack, config, hub) | {
        "hub_url": hub.url,
        "namespace": cluster.namespace,
        "kubeconfig": cluster.kubeconfig,
        "api_endpoint": cluster.kubeconfig.apply(cluster_checks.endpoint),
    }
