"""TraefikProxy: the edge of a deployment."""

from __future__ import annotations

import pulumi

from ..images import ImageStore
from ..platforms.docker_host import DockerHost
from ..platforms.pick import pick
from ..shared_volume.component import SharedVolume
from .args import TraefikProxyArgs


class TraefikProxy(pulumi.ComponentResource):
    """Traefik in a container of its own: in front of a hub, or of any container.

    It goes on while the hub restarts, so that open notebooks stay open. Its dashboard is off, its
    API answers on 127.0.0.1 only, its access log goes to the container's log.

    Attributes:
        url: where browsers find it.
        routes_volume: volume that a hub writes its routes to.
        container: name of the container.
    """

    url: pulumi.Output[str]
    routes_volume: pulumi.Output[str]
    container: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: TraefikProxyArgs,
        host: DockerHost,
        images: ImageStore,
        certificates: SharedVolume | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:TraefikProxy", name, {}, opts)

        self.args = args
        made = pick(__package__, "docker").create(name, args, host, images, certificates, self)
        self.url = args.names(host.address).apply(lambda names: args.url(names[0]))
        self.routes_volume = made.routes_volume
        self.container = made.container
        self.register_outputs(
            {"url": self.url, "routes_volume": self.routes_volume, "container": self.container}
        )
