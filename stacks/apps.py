"""What runs in a cluster beside the hub: what offers GPUs, monitoring, Spark's rights."""

from __future__ import annotations

from typing import Any

import pulumi

from components import JupyterHubHost, KubernetesCluster
from components.config import StackConfig
from components.kubernetes_cluster import gpu
from components.kubernetes_cluster.device_plugin import DevicePlugin

# Names of the charts' releases, which are the stack's own.
RELEASES = ("gpu",)


def compose(config: StackConfig, cluster: KubernetesCluster, hub: JupyterHubHost) -> dict[str, Any]:
    """Makes what the stack file asks for, and returns the outputs of it."""
    pools, sharing = config.cluster.pools, config.cluster.gpu.time_slicing
    for text in gpu.warnings(config.hub, pools, sharing):
        pulumi.log.warn(text)
    if config.cluster.brings_gpus:
        DevicePlugin("gpu", config.cluster.gpu, cluster)
    return {}
