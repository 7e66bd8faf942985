"""SharedVolume: storage apart from what uses it, so that it outlives it."""

from __future__ import annotations

import pulumi

from ..platforms.docker_host import DockerHost
from .args import SharedVolumeArgs


class SharedVolume(pulumi.ComponentResource):
    """Storage that outlives the containers and machines that use it.

    Protected by default: a destroy that would delete it is refused, `make down` leaves it. When
    the state is gone, the same name (or `args.volume`) adopts the data that is still there.

    Attributes:
        volume: name to mount it by.
    """

    volume: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: SharedVolumeArgs,
        host: DockerHost,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:SharedVolume", name, {}, opts)
        from . import docker

        self.volume = docker.create(name, args, host, self).volume
        self.register_outputs({"volume": self.volume})
