"""A bucket as a folder on a Docker engine: rclone in a container of its own.

Users' containers get the folder only, and no privileges: FUSE needs some, so the mount is made by
another container, and reaches them by propagation. It may restart while notebooks run.
"""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_docker as docker

from ..images import ImageArgs, ImageStore
from ..platforms import containers
from ..platforms.docker_host import DockerHost
from .made import Made

FOLDER = "/srv/buckets"  # on the host; every bucket is a folder in it
# To mount, and to make folders below what others own.
_CAPABILITIES = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID"]
_IMAGE = ImageArgs(build=Path("images/rclone"))


class BucketMount(pulumi.ComponentResource):
    """Mounts a bucket at `/srv/buckets/<folder>` on a Docker host.

    Args:
        made: the bucket, as its SharedVolume made it.
    """

    def __init__(
        self,
        name: str,
        folder: str,
        made: Made,
        host: DockerHost,
        images: ImageStore,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:BucketMount", name, {}, opts)
        assert made.source is not None
        image = images.get(_IMAGE)
        cache = docker.Volume(
            f"{name}-cache", name=host.named(f"bucket-{folder}-cache"), opts=host.options(self)
        )
        containers.container(
            f"{name}-mount",
            host,
            self,
            role="bucket",
            labels=host.labels("bucket", keep_running="true"),
            container_name=host.named(f"bucket-{folder}"),
            image=image.reference,
            depends_on=image.resources,
            # On the host's network: the credentials are the machine's own role.
            network_mode="host",
            volumes=[containers.mount(cache.name, "/cache")],
            command=made.source.apply(lambda remote: [folder, remote]),
            envs=None if made.environment is None else made.environment.apply(_pairs),
            devices=[docker.ContainerDeviceArgs(host_path="/dev/fuse", container_path="/dev/fuse")],
            capabilities=docker.ContainerCapabilitiesArgs(
                drops=["ALL"],
                adds=["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID"],
            ),
            security_opts=["apparmor:unconfined"],
            mounts=[
                docker.ContainerMountArgs(
                    type="bind",
                    source=FOLDER,
                    target="/buckets",
                    bind_options=docker.ContainerMountBindOptionsArgs(propagation="rshared"),
                )
            ],
        )
        self.register_outputs({})


def _pairs(values: dict[str, str]) -> list[str]:
    return containers.environment(values)
