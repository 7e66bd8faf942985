"""SharedVolume on a Docker engine: a named volume, or a directory of the host behind one."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from ..platforms.docker_host import DockerHost
from .args import SharedVolumeArgs
from .made import Made


def create(name: str, args: SharedVolumeArgs, host: DockerHost, parent: pulumi.Resource) -> Made:
    """Makes the volume, or takes the one that has this name already."""
    bind = {"type": "none", "o": "bind", "device": args.path} if args.path else None
    volume = docker.Volume(
        name,
        name=args.volume or host.named(name),
        driver="local",
        driver_opts=bind,
        opts=pulumi.ResourceOptions.merge(
            host.options(parent),
            pulumi.ResourceOptions(
                protect=args.protect,
                # Even unprotected, data goes only by `make purge`, never as a side effect.
                retain_on_delete=True,
                # Docker can change none of these in place; a replaced volume is an empty one.
                ignore_changes=["driver", "driverOpts", "labels"],
            ),
        ),
    )
    return Made(volume, volume.name)
