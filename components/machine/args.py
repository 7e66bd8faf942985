"""Args of what a hub needs of a machine, whoever made it: how it is reached, what is on it."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from ..args import Args, InputStr, field

_CONVERGE = "in place: the converge script runs over ssh; nothing restarts"
_KEY = re.compile(r"(ssh-(ed25519|rsa)|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+( .*)?")


def _public_key(text: str) -> str:
    """A public key as text, or the file that has it."""
    path = Path(text).expanduser()
    if not text.startswith(("ssh-", "ecdsa-", "sk-")) and path.is_file():
        text = path.read_text().strip()
    if not _KEY.fullmatch(text):
        raise ValueError("a public key like `ssh-ed25519 AAAA…`, or a file with one")
    return text


def _cidr(text: str) -> str:
    """A range of addresses."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("a range of addresses like 192.0.2.0/24 or 192.0.2.7/32") from None


PublicKey = Annotated[str, AfterValidator(_public_key)]
Cidr = Annotated[str, AfterValidator(_cidr)]


class SshArgs(Args):
    """How the machine is reached by ssh."""

    user: str = field(
        "hubadmin",
        pattern=r"^[a-z_][a-z0-9_-]{0,31}$",
        description="Login name. A new VM gets this account, with sudo and without a password.",
        change="used from the next command on; an existing machine needs the account",
    )
    port: int = field(
        22, ge=1, le=65535, description="Port of sshd.", change="used from the next command on"
    )
    keys: list[PublicKey] = field(
        [],
        description="Public keys that may log in, beside the stack's own: text, or a file's path.",
        change=_CONVERGE,
    )
    key_file: Path | None = field(
        None,
        description="Your private key for this machine. Default: one made for the stack.",
        change="used from the next command on",
    )
    jump_host: str | None = field(
        None,
        pattern=r"^[^\s@,]+@[^\s@,]+$",
        description="A machine to go through, as `user@host`, for one without a public address.",
        change="used from the next command on",
    )


class SoftwareArgs(Args):
    """What is installed on the machine, beside Docker."""

    address_pool: str = field(
        "10.224.0.0/16",
        description="Private range that Docker takes networks from, clear of your site's own.",
        change="in place; networks that exist keep their range",
    )
    gpu_driver: bool = field(
        False,
        description="Install NVIDIA's driver and container toolkit.",
        change="in place; the machine needs a reboot before containers see the GPU",
    )
    cvmfs: list[str] = field(
        [],
        description="CVMFS repositories to mount under /cvmfs: `[sft.cern.ch]`.",
        change=_CONVERGE,
    )
    updates: bool = field(
        True,
        description="Install security updates by itself, Docker's own packages excepted.",
        change=_CONVERGE,
    )

    @model_validator(mode="after")
    def _pool_is_private(self) -> Self:
        network = ipaddress.ip_network(_cidr(self.address_pool))
        if not network.is_private or network.prefixlen > 20:
            raise ValueError("address_pool must be a private range of /20 or larger")
        return self


class HostArgs(Args):
    """A machine that exists already: a lab server, a VM that someone else made."""

    address: InputStr = field(
        description="Its name or address.",
        change="moves nothing: containers and data stay on the old machine",
    )
    ssh: SshArgs = field(
        default_factory=SshArgs, description="How it is reached by ssh.", change="see its fields"
    )
    software: SoftwareArgs = field(
        SoftwareArgs(), description="What is installed beside Docker.", change="see its fields"
    )
    data_disk: str | None = field(
        None,
        pattern=r"^/dev/disk/by-\S+$",
        description=(
            "Disk for all data, by a name that stays: `/dev/disk/by-id/…`. It is formatted only "
            "when blank. Default: a folder of the root disk."
        ),
        change="refused while the hub's data is on another one: the hub does not start",
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
        description="How long the preparation may take.",
        change="nothing on the running system",
    )
