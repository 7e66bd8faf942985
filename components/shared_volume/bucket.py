"""A bucket as a folder on a Docker engine: rclone in a container of its own.

Users' containers get the folder only, and no privileges: FUSE needs some, so the mount is made by
another container, and reaches them by propagation. It may restart while notebooks run.
"""

from __future__ import annotations

import pulumi

from ..images import ImageArgs, ImageStore, bundled_image
from ..platforms.docker_host import DockerHost
from ..platforms.pick import needs
from .made import Made

FOLDER = "/srv/buckets"  # on the host; every bucket is a folder in it
# To mount, and to make folders below what others own.
_CAPABILITIES = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID"]


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
        with needs("docker"):
            import pulumi_docker as docker

            from ..platforms import containers
        image = images.get(ImageArgs(build=bundled_image("rclone")))
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
            envs=made.environment and made.environment.apply(containers.environment),
            devices=[docker.ContainerDeviceArgs(host_path="/dev/fuse", container_path="/dev/fuse")],
            capabilities=docker.ContainerCapabilitiesArgs(
                drops=["ALL"],
                adds=_CAPABILITIES,
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
