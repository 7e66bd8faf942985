"""What every platform file of CloudVM takes and returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from ..machine.args import Cidr
from ..shared_volume.component import SharedVolume
from .args import CloudVMArgs, IngressArgs, Protocol

WEB = (80, 443)


@dataclass(frozen=True)
class Wanted:
    """All that a platform file needs to make a VM.

    Attributes:
        user_data: compressed cloud-init, base64.
        volumes: what is attached or let in, by name.
        machine_type: the type that was picked.
        web: whether browsers reach it.
    """

    args: CloudVMArgs
    machine_type: pulumi.Input[str]
    user_data: pulumi.Output[str]
    volumes: Mapping[str, SharedVolume]
    web: bool = True

    @property
    def ingress(self) -> list[tuple[str, IngressArgs]]:
        """Every rule, each with a name that stays when others come and go."""
        web = [
            IngressArgs(protocol=Protocol.tcp, ports=port, source=source, description="web")
            for port in (WEB if self.web else ())
            for source in ("0.0.0.0/0",)
        ]
        ssh = [_ssh_rule(self.args.ssh.port, source) for source in self.args.ssh.allow_from]
        rules = {rule_name(rule): rule for rule in (*web, *ssh, *self.args.ingress)}
        return sorted(rules.items())


def _ssh_rule(port: int, source: Cidr) -> IngressArgs:
    return IngressArgs(protocol=Protocol.tcp, ports=port, source=source, description="ssh")


def rule_name(rule: IngressArgs) -> str:
    """A rule's name, made of what it says: `tcp-443-0.0.0.0-0`."""
    ports = str(rule.first) if rule.first == rule.last else rule.ports
    return f"{rule.protocol.value}-{ports}-{rule.source.replace('/', '-').replace(':', '.')}"


@dataclass(frozen=True)
class Made:
    """A VM that the cloud has made.

    Attributes:
        machine: the resource, for `deleted_with`.
        id: its id in the cloud.
        address: where browsers and ssh reach it.
        private_address: its address on its own network.
        zone: where it is.
        ready: what else has to be there before it is reached: address, disks, rules.
        network: id of the network that it is on; None on a flat one.
        subnet: id of its subnet there.
    """

    machine: pulumi.Resource
    id: pulumi.Output[str]
    address: pulumi.Output[str]
    private_address: pulumi.Output[str]
    zone: pulumi.Output[str]
    ready: tuple[pulumi.Resource, ...]
    network: pulumi.Input[str] | None = None
    subnet: pulumi.Input[str] | None = None
