"""CloudVM: a virtual machine in a cloud, prepared for Docker."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import pulumi

from ..args import InputSecret
from ..machine import cloud_init, ssh
from ..machine.desired import Mount, desired_state
from ..machine.gate import gate
from ..machine.runtime import DOCKER, Runtime
from ..platforms.docker_host import DockerHost
from ..platforms.pick import pick
from ..platforms.site import Site
from ..shared_volume.component import SharedVolume
from .args import CloudVMArgs
from .kept_type import kept_type
from .made import Made, Wanted


class CloudVM(pulumi.ComponentResource):
    """A VM with Docker, its disks mounted, reached by ssh only.

    It is ready when Docker (or another runtime) answers, not when the cloud says that it runs:
    whatever is put on its `docker_host` waits for that. Its image and user data are left alone once
    it is there; changes of the host go through the converge script, a new image through a rebuild.

    Args:
        volumes: disks that are attached and file systems that are mounted, at `/srv/<name>`.
        folders: directories that are made on them, like `/srv/data/homes`.
        key: private key of the stack, in OpenSSH's format.
        web: whether browsers reach it: ports 80 and 443 are open.
        engine: the deployment that its engine is called after, where a site has several VMs.
        runtime: what runs containers on it.

    Attributes:
        id: its id in the cloud.
        address: where browsers and ssh reach it.
        private_address: its address on its own network.
        zone: where it is.
        machine_type: the type that was taken.
        ssh_command: what a person types to get there.
        gate: what everything on it waits for.
        docker_host: the engine on it, where its runtime is Docker.
        network: id of the network that it is on; None on a flat one.
        subnet: id of its subnet there.
    """

    id: pulumi.Output[str]
    address: pulumi.Output[str]
    private_address: pulumi.Output[str]
    zone: pulumi.Output[str]
    machine_type: pulumi.Output[str]
    ssh_command: pulumi.Output[str]
    gate: pulumi.Stash
    docker_host: DockerHost
    network: pulumi.Input[str] | None
    subnet: pulumi.Input[str] | None

    def __init__(
        self,
        name: str,
        args: CloudVMArgs,
        site: Site,
        volumes: Mapping[str, SharedVolume] | None = None,
        folders: Sequence[str] = (),
        key: InputSecret | None = None,
        web: bool = True,
        engine: str | None = None,
        runtime: Runtime = DOCKER,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:CloudVM", name, {}, opts)
        attached = volumes or {}
        own_key = ssh.public_of(key)
        desired = desired_state(
            args.ssh, args.software, mounts(attached), folders, own_key, runtime
        )
        self.machine_type = kept_type(
            name,
            args.machine_type,
            args.size,
            lambda: pick(__package__, site.platform).machine_types(site),
            "vm.size",
            self,
        )
        made = self._create(name, args, site, attached, desired, own_key, web)
        self.id, self.zone = made.id, made.zone
        self.address, self.private_address = made.address, made.private_address
        self.network, self.subnet = made.network, made.subnet
        connection = ssh.connect(site.deployment, args.ssh, made.address, made.id, key)
        self.ssh_command = connection.command
        self.gate = gate(
            f"{name}-ready",
            connection,
            made.id,
            desired,
            args.ready_within,
            self,
            [made.machine, *made.ready],
            runtime,
            runtime.files(made.address, made.private_address),
        )
        if runtime is DOCKER:
            self.docker_host = DockerHost.behind(
                engine or site.deployment,
                connection,
                mtu=args.mtu,
                gate=self.gate,
                machine=made.machine,
                parent=self,
            )
        self.register_outputs(
            {
                "id": self.id,
                "address": self.address,
                "private_address": self.private_address,
                "zone": self.zone,
                "machine_type": self.machine_type,
                "ssh_command": self.ssh_command,
            }
        )

    def _create(
        self,
        name: str,
        args: CloudVMArgs,
        site: Site,
        volumes: Mapping[str, SharedVolume],
        desired: pulumi.Output[str],
        own_key: pulumi.Output[str],
        web: bool,
    ) -> Made:
        def packed(known: list[str]) -> str:
            data = cloud_init.user_data(args.ssh, known[0], known[1], args.cloud_init)
            return base64.b64encode(data).decode()

        user_data = pulumi.Output.all(own_key, desired).apply(packed)
        wanted = Wanted(args, self.machine_type, user_data, volumes, web)
        made: Made = pick(__package__, site.platform).create(name, wanted, site, self)
        return made


def mounts(volumes: Mapping[str, SharedVolume]) -> list[Mount]:
    """Where each volume is mounted; buckets are no business of the machine."""
    return [
        Mount(
            f"/srv/{name}",
            volume.made.kind,
            volume.made.source,
            volume.made.options,
            volume.args.gigabytes if volume.made.kind == "disk" else None,
        )
        for name, volume in volumes.items()
        if volume.made.source is not None
    ]
