"""Buckets: stores of objects as folders on a Docker host."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from ..errors import ConfigError
from ..images import ImageStore
from ..platforms.docker_host import DockerHost
from ..platforms.pick import pick
from ..shared_volume.component import SharedVolume
from .args import BucketArgs, BucketKind


class Buckets(pulumi.ComponentResource):
    """Mounts buckets for the users of a hub, in one container for all of them.

    A user's mounts are made when their server starts and dropped when their last one stops. No
    server waits for a store, and none has its credentials.

    Args:
        uploads: keeps what was written and isn't stored yet.
        volumes: the buckets that the stack makes, for those of kind `volume`.

    Attributes:
        folder: name of the volume with the mounts; a user's are in `users/<name>`.
        asked: name of the volume on which the hub says who has a server.
    """

    folder: pulumi.Output[str]
    asked: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        buckets: Mapping[str, BucketArgs],
        host: DockerHost,
        images: ImageStore,
        uploads: SharedVolume,
        volumes: Mapping[str, SharedVolume] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        made = volumes or {}
        if absent := [
            each
            for each, args in buckets.items()
            if args.kind is BucketKind.volume and (each not in made or not made[each].made.remote)
        ]:
            raise ConfigError(
                f"Buckets {name}: {', '.join(absent)} has kind `volume`; give the SharedVolume of "
                "kind `bucket` of the same name in `volumes`. Nothing was changed."
            )
        super().__init__("jupyterhub:index:Buckets", name, {}, opts)
        self.folder, self.asked = pick(__package__, "docker").create(
            name, buckets, host, images, uploads, made, self
        )
        self.register_outputs({"folder": self.folder, "asked": self.asked})
