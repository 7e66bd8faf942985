"""A Docker engine as a value: where a hub's containers run, on this machine or over ssh."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pulumi

from ..args import Args, InputStr, field, matching
from ..machine.ssh import Connection
from .pick import needs

if TYPE_CHECKING:
    import pulumi_docker as docker

LABEL = "pulumi-jupyterhub"


class DockerHostArgs(Args):
    """The Docker engine that a stack's containers run on."""

    host: InputStr = field(
        "unix:///var/run/docker.sock",
        description="Address of the engine: `unix:///path` on this machine, or `ssh://user@host`.",
        change="moves nothing: containers and data stay on the old engine",
    )
    ssh_options: list[str] = field(
        [],
        description="Options for ssh, as on its command line: `-o`, `ProxyJump=gate`.",
        change="nothing on the running system; used from the next command on",
    )
    address: InputStr = field(
        "127.0.0.1",
        description="Name or address at which browsers reach this host.",
        change="changes the printed URL",
    )
    mtu: int = field(
        1400,
        ge=1280,
        le=9000,
        unit="bytes",
        description="Largest packet on the containers' networks; 1400 also fits OpenStack and VPNs",
        change="replaces the networks: run `make down` first",
    )

    _host = matching(
        r"(unix:///|ssh://)\S+", "host", form="`unix:///path` of this machine, or `ssh://user@host`"
    )
    _address = matching(r"\S+", "address", form="a name or an address")


@dataclass(frozen=True)
class DockerHost:
    """The engine, its provider, and the prefix that marks everything made on it.

    `deployment` is that prefix (`jupyterhub-local`): two stacks on one engine differ in it.

    Attributes:
        address: name or address at which browsers reach it.
        is_here: it is an engine of this machine.
        gate: what everything on the engine waits for: the machine that it runs on is prepared.
        machine: the VM that the engine goes with: nothing on it has to be deleted before it.
    """

    platform: ClassVar[str] = "docker"

    deployment: str
    address: pulumi.Input[str]
    mtu: int
    provider: docker.Provider
    is_here: bool = False
    gate: pulumi.Resource | None = None
    machine: pulumi.Resource | None = None

    @classmethod
    def connect(
        cls, deployment: str, args: DockerHostArgs, parent: pulumi.Resource | None = None
    ) -> DockerHost:
        """Names the engine. Nothing connects before the first container is made."""
        provider = _provider(deployment, args.host, args.ssh_options or None, parent)
        here = isinstance(args.host, str) and args.host.startswith("unix://")
        return cls(deployment, args.address, args.mtu, provider, is_here=here)

    @classmethod
    def behind(
        cls,
        deployment: str,
        connection: Connection,
        *,
        mtu: int,
        gate: pulumi.Resource,
        machine: pulumi.Resource | None = None,
        parent: pulumi.Resource | None = None,
    ) -> DockerHost:
        """The engine of a machine that is reached by ssh, once the gate is open."""
        provider = _provider(deployment, connection.url, connection.options, parent)
        return cls(deployment, connection.address, mtu, provider, gate=gate, machine=machine)

    def called(self, address: pulumi.Input[str]) -> DockerHost:
        """The same engine, which browsers know by another name."""
        return replace(self, address=address)

    def named(self, role: str) -> str:
        """Name of an object on the engine: `jupyterhub-local-hub`."""
        return f"{self.deployment}-{role}"

    def labels(self, role: str, **more: str) -> dict[str, str]:
        """Labels that tell whose an object is and what it does."""
        own = {f"{LABEL}.deployment": self.deployment, f"{LABEL}.role": role}
        return own | {f"{LABEL}.{key.replace('_', '-')}": text for key, text in more.items()}

    def bridge(self, role: str) -> str:
        """Name of a network's interface; Linux allows 15 characters."""
        digest = hashlib.sha256(self.named(role).encode()).hexdigest()
        return f"jh-{digest[:8]}"

    def options(self, parent: pulumi.Resource | None) -> pulumi.ResourceOptions:
        """Options of every resource on this engine: its parent, this engine's provider, its gate.

        What is inside a VM goes with it: a destroy neither waits for it nor hangs on a dead one.
        """
        return pulumi.ResourceOptions(
            parent=parent,
            provider=self.provider,
            depends_on=[self.gate] if self.gate else [],
            deleted_with=self.machine,
        )


def _provider(
    deployment: str,
    host: pulumi.Input[str],
    ssh_options: Any,
    parent: pulumi.Resource | None,
) -> docker.Provider:
    with needs("docker"):
        import pulumi_docker as docker
    return docker.Provider(
        f"{deployment}-engine",
        host=host,
        ssh_opts=ssh_options,
        opts=pulumi.ResourceOptions(parent=parent),
    )
