"""What runs in a cluster beside the hub: what offers GPUs, monitoring, Spark's rights."""

from __future__ import annotations

from typing import Any

import pulumi

from components import JupyterHubHost, KubernetesCluster, Monitoring, Spark, TraefikProxy
from components.args import secret
from components.config import StackConfig
from components.kubernetes_cluster import gpu
from components.kubernetes_cluster.device_plugin import DevicePlugin
from components.monitoring import kubernetes as monitoring
from components.platforms.charts import merged
from components.spark import kubernetes as spark

# Names of the charts' releases, which are the stack's own.
RELEASES = ("gpu", "monitoring", "monitoring-metrics", "monitoring-dashboard")


def for_hub(config: StackConfig, deployment: str) -> dict[str, Any]:
    """What the hub's chart has to know of them."""
    values = monitoring.for_hub() if config.monitoring else {}
    if not config.spark:
        return values
    image = config.hub.images[0]
    owner, pools = (image.uid, image.gid), config.cluster.pools
    of_spark = spark.for_hub(config.spark, deployment=deployment, owner=owner, pools=pools)
    return merged(values, of_spark)


def compose(
    config: StackConfig, cluster: KubernetesCluster, hub: JupyterHubHost, proxy: TraefikProxy
) -> dict[str, Any]:
    """Makes what the stack file asks for, and returns the outputs of it."""
    pools, sharing = config.cluster.pools, config.cluster.gpu.time_slicing
    for text in gpu.warnings(config.hub, pools, sharing):
        pulumi.log.warn(text)
    if config.cluster.brings_gpus:
        DevicePlugin("gpu", config.cluster.gpu, cluster)
    if config.spark:
        Spark("spark", config.spark, cluster)
    return _monitoring(config, cluster, hub, proxy)


def _monitoring(
    config: StackConfig, cluster: KubernetesCluster, hub: JupyterHubHost, proxy: TraefikProxy
) -> dict[str, Any]:
    password = config.secrets.grafana_password
    if not config.monitoring or password is None:
        return {}
    made = Monitoring("monitoring", config.monitoring, password, cluster, hub, proxy)
    return {
        "grafana_url": made.grafana_url,
        "grafana_password": secret(password),
        "dashboard_url": made.dashboard_url,
        "ways_in": made.ways_in,
    }
