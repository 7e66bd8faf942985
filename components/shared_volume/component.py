"""SharedVolume: storage apart from what uses it, so that it outlives it."""

from __future__ import annotations

import pulumi

from ..kept import holder
from ..platforms.pick import pick
from ..platforms.place import Place
from ..platforms.site import Site
from .args import SharedVolumeArgs
from .made import Made


class SharedVolume(pulumi.ComponentResource):
    """Storage that outlives the containers and machines that use it.

    Protected by default: a destroy that would delete it is refused, `make down` leaves it. When
    the state is gone, the same name (or `args.volume`) adopts the data that is still there.

    Args:
        place: the engine for kind `folder`, the site in a cloud for the other kinds, the cluster
            for `claim`.

    Attributes:
        volume: name or id to mount or attach it by.
        made: how a machine mounts it.
    """

    volume: pulumi.Output[str]
    made: Made

    def __init__(
        self,
        name: str,
        args: SharedVolumeArgs,
        place: Place | Site,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:SharedVolume", name, {}, opts)
        self.args = args
        self.made = pick(__package__, place.platform).create(name, args, place, self)
        self.volume = self.made.volume
        if self.made.holder:
            holder(self, self.made.holder)
        self.register_outputs({"volume": self.volume})
