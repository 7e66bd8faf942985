"""DaskCluster: a shared scheduler and its workers."""

from __future__ import annotations

import pulumi

from ..images import ImageStore
from ..jupyterhub_host.component import JupyterHubHost
from ..platforms.pick import pick
from ..platforms.place import Place
from ..shared_volume.component import SharedVolume
from .args import DaskClusterArgs
from .machines import WorkerMachines


class DaskCluster(pulumi.ComponentResource):
    """A Dask scheduler and workers from the notebooks' own image, shared by all users of a hub.

    Args:
        machines: where the workers are; None is the hub's host.

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
        machines: WorkerMachines | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:DaskCluster", name, {}, opts)

        made = pick(__package__, host.platform).create(
            name, args, host, images, hub, shared, self, machines
        )
        self.address = made.address
        self.register_outputs({"address": self.address})
