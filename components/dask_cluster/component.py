"""DaskCluster: a shared scheduler and its workers."""

from __future__ import annotations

import pulumi

from ..images import ImageStore
from ..jupyterhub_host.component import JupyterHubHost
from ..platforms.pick import pick
from ..platforms.place import Place
from ..shared_volume.component import SharedVolume
from .args import DaskClusterArgs


class DaskCluster(pulumi.ComponentResource):
    """A Dask scheduler and workers from the notebooks' own image, shared by all users of a hub.

    Attributes:
        address: what notebooks connect to, `tcp://10.231.0.1:8786`.
    """

    address: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: DaskClusterArgs,
        host: Place,
        images: ImageStore,
        hub: JupyterHubHost,
        shared: SharedVolume,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:DaskCluster", name, {}, opts)

        self.address = (
            pick(__package__, host.platform)
            .create(name, args, host, images, hub, shared, self)
            .address
        )
        self.register_outputs({"address": self.address})
