"""TraefikProxy: the edge of a deployment."""

from __future__ import annotations

import pulumi

from ..images import ImageStore
from ..platforms.pick import pick
from ..platforms.place import Place
from ..shared_volume.component import SharedVolume
from .args import TraefikProxyArgs
from .made import Made


class TraefikProxy(pulumi.ComponentResource):
    """Traefik in a container of its own: in front of a hub, or of any container.

    In Kubernetes: the chart, for the stack's own namespace, or the ingress that the cluster has.

    It goes on while the hub restarts, so that open notebooks stay open. Its dashboard is off, its
    API answers on 127.0.0.1 only, its access log goes to the container's log.

    Attributes:
        url: where browsers find it.
        routes_volume: volume that a hub writes its routes to, on a Docker engine.
        container: name of the container, or of the chart's release.
        made: how a hub gets behind it.
    """

    url: pulumi.Output[str]
    routes_volume: pulumi.Output[str] | None
    container: pulumi.Output[str]
    made: Made

    def __init__(
        self,
        name: str,
        args: TraefikProxyArgs,
        host: Place,
        images: ImageStore,
        certificates: SharedVolume | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:TraefikProxy", name, {}, opts)

        self.args = args
        self.made = made = pick(__package__, host.platform).create(
            name, args, host, images, certificates, self
        )
        self.url = args.names(made.address).apply(lambda names: args.url(names[0]))
        self.routes_volume = made.routes_volume
        self.container = made.container
        self.register_outputs(
            {"url": self.url, "routes_volume": self.routes_volume, "container": self.container}
        )
