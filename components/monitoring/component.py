"""Monitoring: figures of a cluster and its hub over time, and pages to look at them."""

from __future__ import annotations

import pulumi

from ..args import InputSecret
from ..jupyterhub_host.component import JupyterHubHost
from ..platforms.kubernetes import KubernetesCluster
from ..platforms.pick import pick
from ..traefik_proxy.component import TraefikProxy
from .args import MonitoringArgs


class Monitoring(pulumi.ComponentResource):
    """Prometheus and Grafana beside a hub, and on demand a page that shows the namespace.

    Nothing of it is open to the world unless Grafana has a `host`: `ways_in` are the commands that
    lead there.

    Args:
        password: of Grafana's user `admin`.

    Attributes:
        grafana_url: where Grafana is, once its way in is open.
        dashboard_url: the same of the page for the namespace, None without it.
        ways_in: commands by what they lead to.
    """

    grafana_url: pulumi.Output[str]
    dashboard_url: pulumi.Output[str] | None
    ways_in: dict[str, str]

    def __init__(
        self,
        name: str,
        args: MonitoringArgs,
        password: InputSecret,
        cluster: KubernetesCluster,
        hub: JupyterHubHost,
        proxy: TraefikProxy,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:Monitoring", name, {}, opts)
        made = pick(__package__, cluster.platform).create(
            name, args, password, cluster, hub, proxy, self
        )
        self.grafana_url = pulumi.Output.from_input(made.grafana_url)
        self.dashboard_url = made.dashboard_url and pulumi.Output.from_input(made.dashboard_url)
        self.ways_in = made.ways_in
        self.register_outputs(
            {
                "grafana_url": self.grafana_url,
                "dashboard_url": self.dashboard_url,
                "ways_in": self.ways_in,
            }
        )
