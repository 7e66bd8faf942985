"""DevicePlugin: NVIDIA's, which tells a cluster what GPUs its nodes have."""

from __future__ import annotations

import pulumi

from ..platforms.kubernetes import KubernetesCluster
from ..platforms.pick import needs
from .gpu import GpuArgs, chart_values


class DevicePlugin(pulumi.ComponentResource):
    """NVIDIA's device plugin on every node with GPUs: the drivers have to be there already."""

    def __init__(
        self,
        name: str,
        args: GpuArgs,
        cluster: KubernetesCluster,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:DevicePlugin", name, {}, opts)
        with needs("kubernetes"):  # whose SDK nobody else has to have
            from ..platforms.charts import CHARTS, release
        release(
            name,
            cluster,
            self,
            chart=CHARTS["nvidia-device-plugin"],
            values=chart_values(args, cluster.pools),
            own=args.values,
        )
        self.register_outputs({})
