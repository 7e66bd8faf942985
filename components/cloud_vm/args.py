"""Args of CloudVM: one set for all clouds."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from ..args import Args, Bytes, InputStr, field
from ..machine.args import Cidr, SoftwareArgs, SshArgs

_REBUILD = "nothing until `make rebuild`, which makes a new VM on the same data"
_IN_PLACE = "in place"


class Arch(str, Enum):
    """Kind of processor."""

    x86_64 = "x86_64"
    arm64 = "arm64"


class OperatingSystem(str, Enum):
    """Operating systems that the converge script knows, as the clouds' own images have them."""

    ubuntu_24_04 = "ubuntu-24.04"
    debian_12 = "debian-12"
    almalinux_9 = "almalinux-9"
    rocky_9 = "rocky-9"


class SizeArgs(Args):
    """What the machine needs at least; the smallest type that fits is taken."""

    cpus: int = field(
        2, ge=1, le=1024, description="Processor cores.", change="restarts the VM: minutes"
    )
    memory: Bytes = field(
        "8G",
        ge=1024**3,
        unit="bytes, or text like `8G`",
        description="Memory.",
        change="restarts the VM: minutes",
    )
    gpus: int = field(0, ge=0, le=16, description="GPUs.", change="restarts the VM: minutes")
    gpu_type: str | None = field(
        None, description="Name of the GPU: `T4`, `L4`, `A100`.", change="restarts the VM: minutes"
    )
    arch: Arch = field(Arch.x86_64, description="Kind of processor.", change=_REBUILD)

    @model_validator(mode="after")
    def _gpu_type_with_gpus(self) -> Self:
        if self.gpu_type and not self.gpus:
            raise ValueError("gpu_type goes with gpus: 1 or more")
        return self


class CloudSshArgs(SshArgs):
    """Who may reach sshd, and how."""

    allow_from: list[Cidr] = field(
        [],
        description=(
            "Ranges that may reach sshd: your own address as 192.0.2.7/32 at least, "
            "for `make up` needs it."
        ),
        change=_IN_PLACE,
    )
    allow_ssh_from_anywhere: bool = field(
        False, description="Agree to 0.0.0.0/0 in `allow_from`.", change=_IN_PLACE
    )

    @model_validator(mode="after")
    def _not_from_anywhere(self) -> Self:
        if not self.allow_ssh_from_anywhere and {"0.0.0.0/0", "::/0"} & set(self.allow_from):
            raise ValueError(
                "allow_from has 0.0.0.0/0: everybody could try keys; name your own range, "
                "or set allow_ssh_from_anywhere: true"
            )
        return self


class Protocol(str, Enum):
    """What an ingress rule is about."""

    tcp = "tcp"
    udp = "udp"


def _ports(value: Any) -> str:
    """A port or a range of ports."""
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", str(value).strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= 65535:
        raise ValueError("a port like 8000 or a range like 8000-8010, from 1 to 65535")
    return f"{first}-{last}"


if TYPE_CHECKING:
    Ports = int | str
else:
    Ports = Annotated[str, BeforeValidator(_ports)]


class IngressArgs(Args):
    """Traffic that may come in. What no rule names is closed."""

    protocol: Protocol = field(Protocol.tcp, description="Protocol.", change=_IN_PLACE)
    ports: Ports = field(description="Port or range: 8787, 8000-8010.", change=_IN_PLACE)
    source: Cidr = field("0.0.0.0/0", description="Where it may come from.", change=_IN_PLACE)
    description: str = field("", max_length=200, description="What it is for.", change=_IN_PLACE)

    @property
    def first(self) -> int:
        """The lowest port."""
        return int(str(self.ports).split("-")[0])

    @property
    def last(self) -> int:
        """The highest port."""
        return int(str(self.ports).split("-")[1])


class NetworkKind(str, Enum):
    """Whose network it is."""

    own = "own"
    existing = "existing"
    flat = "flat"


class PublicAddress(str, Enum):
    """How the VM is reached from outside."""

    fixed = "fixed"
    ephemeral = "ephemeral"
    none = "none"


class NetworkArgs(Args):
    """The network that the VM is on."""

    kind: NetworkKind = field(
        NetworkKind.own,
        description=(
            "`own`: one is made; `existing`: yours, by id; `flat`: the cloud's one network, on "
            "which nothing is made and every VM has a reachable address (CERN)."
        ),
        change="replaces the VM: `make rebuild`",
    )
    network: InputStr | None = field(
        None, description="Id of your network, with `existing`.", change="replaces the VM"
    )
    subnet: InputStr | None = field(
        None, description="Id of your subnet, with `existing`.", change="replaces the VM"
    )
    security_groups: list[InputStr] = field(
        [], description="Ids of further security groups.", change=_IN_PLACE
    )
    cidr: Cidr = field(
        "10.20.0.0/24", description="Range of an `own` network.", change="replaces the VM"
    )
    public_address: PublicAddress = field(
        PublicAddress.fixed,
        description=(
            "`fixed` stays when the VM is replaced; `ephemeral` changes then (not on OpenStack); "
            "`none`: the network's own address is the one that counts."
        ),
        change=_IN_PLACE + "; the URL changes",
    )
    address_pool: InputStr | None = field(
        None,
        description="OpenStack: name of the external network that floating IPs come from.",
        change="replaces the floating IP: the URL changes",
    )
    private: bool = field(
        False,
        description="Only reached through `ssh.jump_host` and from its own network.",
        change=_IN_PLACE + "; the URL changes",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind is NetworkKind.existing and not (self.network and self.subnet):
            raise ValueError("kind `existing` needs network and subnet")
        if self.kind is not NetworkKind.existing and (self.network or self.subnet):
            raise ValueError("network and subnet go with kind `existing`")
        asked = self.public_address if "public_address" in self.model_fields_set else None
        if self.private and asked not in (None, PublicAddress.none):
            raise ValueError("private goes with public_address `none`")
        return self

    @property
    def address(self) -> PublicAddress:
        """How it is reached; a private or flat VM has no address apart."""
        bare = self.private or self.kind is NetworkKind.flat
        return PublicAddress.none if bare else self.public_address


def _mapping(value: dict[str, Any]) -> dict[str, Any]:
    forbidden = {"users", "ssh_pwauth", "disable_root"} & set(value)
    if forbidden:
        raise ValueError(f"keys other than {', '.join(sorted(forbidden))}, which are the library's")
    return value


class CloudVMArgs(Args):
    """A virtual machine in a cloud, prepared for Docker."""

    size: SizeArgs = field(
        SizeArgs(), description="What it needs at least.", change="restarts the VM: minutes"
    )
    machine_type: InputStr | None = field(
        None,
        description="The cloud's own name of a type (flavor), instead of `size`.",
        change="restarts the VM: minutes",
    )
    os: OperatingSystem = field(
        OperatingSystem.ubuntu_24_04, description="Operating system, by name.", change=_REBUILD
    )
    image: InputStr | None = field(
        None,
        description="An image's id, or name on OpenStack, instead of `os`; it needs cloud-init.",
        change=_REBUILD,
    )
    root_disk: int | None = field(
        None,
        ge=10,
        le=16384,
        unit="GiB",
        description=(
            "Root disk, which holds container images. Default: 40; on OpenStack the flavor's own."
        ),
        change="grows in place on AWS; elsewhere nothing until `make rebuild`",
    )
    ssh: CloudSshArgs = field(
        default_factory=CloudSshArgs,
        description="Who may reach sshd, and how.",
        change="see its fields",
    )
    ingress: list[IngressArgs] = field(
        [], description="Traffic let in, beside HTTP, HTTPS and ssh.", change=_IN_PLACE
    )
    network: NetworkArgs = field(
        NetworkArgs(), description="The network that it is on.", change="see its fields"
    )
    software: SoftwareArgs = field(
        SoftwareArgs(), description="What is installed beside Docker.", change="see its fields"
    )
    spot: bool = field(
        False,
        description="A cheaper VM that the cloud may take away; data stays (AWS, GCP).",
        change=_REBUILD,
    )
    deletion_protection: bool = field(
        False, description="The cloud itself refuses to delete the VM.", change=_IN_PLACE
    )
    secure_boot: bool = field(
        True, description="Boot only signed systems, where the cloud has it (GCP).", change=_REBUILD
    )
    metadata: dict[str, InputStr] = field(
        {},
        description="The cloud's own metadata for the VM: `cern-waitdns: 'false'`.",
        change=_REBUILD,
    )
    cloud_init: Annotated[dict[str, Any], AfterValidator(_mapping)] = field(
        {},
        description="cloud-init of your own, merged in: lists are added. No secrets.",
        change=_REBUILD,
    )
    rebuild: int = field(
        0,
        ge=0,
        description="Counts rebuilds; `make rebuild` raises it.",
        change="makes a new VM, with a new image, on the same data",
    )
    mtu: int = field(
        1400,
        ge=1280,
        le=9000,
        unit="bytes",
        description="Largest packet on the containers' networks; 1400 also fits OpenStack and VPNs",
        change="replaces the networks: run `make down` first",
    )
    ready_within: int = field(
        900,
        ge=60,
        unit="seconds",
        description="How long a new VM may take until Docker answers.",
        change="nothing on the running system",
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.network.private and not self.ssh.jump_host:
            raise ValueError("network.private needs ssh.jump_host, as user@host")
        if not self.ssh.allow_from:
            raise ValueError(
                "ssh.allow_from is empty: give the range that you run `make up` from, "
                "like 192.0.2.7/32; with a jump host, its address"
            )
        if self.machine_type and "size" in self.model_fields_set:
            raise ValueError("give either size or machine_type, not both")
        if self.software.gpu_driver and self.os in (
            OperatingSystem.almalinux_9,
            OperatingSystem.rocky_9,
        ):
            raise ValueError("software.gpu_driver goes with os ubuntu-24.04 or debian-12")
        return self
