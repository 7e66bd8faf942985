"""ExistingHost: a machine that somebody else made, prepared for Docker."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from ..args import InputSecret
from ..platforms.docker_host import DockerHost
from . import ssh
from .args import HostArgs
from .desired import DATA, Mount, desired_state
from .gate import gate
from .runtime import DOCKER, Runtime


class ExistingHost(pulumi.ComponentResource):
    """A machine behind ssh that gets what a CloudVM gets from cloud-init: Docker, its disk.

    It is never deleted: a destroy takes the containers away and leaves the machine.

    Args:
        runtime: what runs containers on it.

    Attributes:
        address: where browsers and ssh reach it.
        ssh_command: what a person types to get there.
        gate: what everything on it waits for.
        docker_host: the engine on it, where its runtime is Docker.
    """

    address: pulumi.Output[str]
    ssh_command: pulumi.Output[str]
    gate: pulumi.Stash
    docker_host: DockerHost

    def __init__(
        self,
        name: str,
        args: HostArgs,
        deployment: str,
        folders: Sequence[str] = (),
        key: InputSecret | None = None,
        runtime: Runtime = DOCKER,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:ExistingHost", name, {}, opts)
        self.address = pulumi.Output.from_input(args.address)
        connection = ssh.connect(deployment, args.ssh, self.address, self.address, key)
        self.ssh_command = connection.command
        mounts = [Mount(DATA, "disk", args.data_disk)] if args.data_disk else []
        own_key = ssh.public_of(key)
        desired = desired_state(args.ssh, args.software, mounts, folders, own_key, runtime)
        self.gate = gate(
            f"{name}-ready",
            connection,
            self.address,
            desired,
            args.ready_within,
            self,
            runtime=runtime,
            files=runtime.files(self.address, self.address),
        )
        if runtime is DOCKER:
            self.docker_host = DockerHost.behind(
                deployment, connection, mtu=args.mtu, gate=self.gate, parent=self
            )
        self.register_outputs({"address": self.address, "ssh_command": self.ssh_command})
