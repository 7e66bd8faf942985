"""Buckets on a Docker engine: one container with rclone, whose mounts reach users' containers.

They get there by propagation, which only a shared mount has. The engine's own folder is one on
every machine (dockerd makes it so where the root isn't), so a volume's folder is where mounts are
made: there is nothing to prepare on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_docker as docker
from pydantic import SecretStr

from ..args import secret
from ..images import ImageArgs, ImageStore, bundled_image
from ..platforms import containers
from ..platforms.docker_host import DockerHost
from ..shared_volume.component import SharedVolume
from .args import BucketArgs, BucketKind

OWNER = [1000, 100]  # whose the files look; who sees them may read and write them whatever it says
# To mount, and rclone's helper for it.
_CAPABILITIES = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID"]
_GRACE = 30  # seconds, for the last uploads


def create(
    name: str,
    buckets: Mapping[str, BucketArgs],
    host: DockerHost,
    images: ImageStore,
    uploads: SharedVolume,
    volumes: Mapping[str, SharedVolume],
    parent: pulumi.Resource,
) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """Makes the container; returns the names of the volumes with the mounts and the questions."""
    image = images.get(ImageArgs(build=bundled_image("rclone")))
    folder = docker.Volume(name, name=host.named(name), opts=host.options(parent))
    asked = docker.Volume(
        f"{name}-asked", name=host.named(f"{name}-asked"), opts=host.options(parent)
    )
    containers.container(
        name,
        host,
        parent,
        role="buckets",
        labels=host.labels("buckets", keep_running="true"),
        container_name=host.named(name),
        image=image.reference,
        depends_on=image.resources,
        grace=_GRACE,
        # On the host's network: a cloud's own bucket is opened with the machine's role.
        network_mode="host",
        envs=containers.environment(images.egress.environment()),
        volumes=[
            containers.mount(uploads.volume, "/cache"),
            containers.mount(asked.name, "/asked"),
            # The engine doesn't delete a volume that a container has: it would delete what is
            # mounted in it, too.
            containers.mount(folder.name, "/in-use"),
        ],
        uploads=[
            containers.file("/etc/buckets/settings.json", _settings(buckets, volumes), private=True)
        ],
        devices=[docker.ContainerDeviceArgs(host_path="/dev/fuse", container_path="/dev/fuse")],
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=_CAPABILITIES),
        security_opts=["apparmor:unconfined"],
        mounts=[
            docker.ContainerMountArgs(
                type="bind",
                source=folder.mountpoint,
                target="/buckets",
                bind_options=docker.ContainerMountBindOptionsArgs(propagation="rshared"),
            )
        ],
    )
    return folder.name, asked.name


def _settings(
    buckets: Mapping[str, BucketArgs], volumes: Mapping[str, SharedVolume]
) -> pulumi.Output[str]:
    """What the container is told; images/rclone is its other side."""
    told = {}
    for name, args in buckets.items():
        if args.kind is BucketKind.volume:
            remote: Any = volumes[name].made.remote
            root: Any = volumes[name].made.volume
        else:
            remote = {key: _open(value) for key, value in args.remote.items()}
            root = args.bucket
        told[name] = {
            "root": pulumi.Output.all(root, args.path)
            .apply("/".join)
            .apply(lambda p: p.strip("/")),
            "access": args.access.value,
            "writable": args.writable,
            "remote": remote,
        }
    document = {"owner": OWNER, "buckets": told}
    return pulumi.Output.secret(pulumi.Output.json_dumps(document, indent=1))


def _open(value: Any) -> Any:
    return secret(value) if isinstance(value, SecretStr | pulumi.Output) else value
