"""Machines for a cluster's workers, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from ..args import InputSecret
from ..platforms.docker_host import DockerHost


@dataclass(frozen=True)
class WorkerMachines:
    """Machines on one network with the hub's host.

    Where that network is private, `reach` of the hub's args has to name the workers' ports there.

    Attributes:
        hosts: their engines by name; an engine's address is where the scheduler and the workers
            of other machines reach it.
        scheduler: name or address at which they reach the hub's host.
        key: what the certificate of all connections is made from, 64 hex digits.
        shared: the volume with the shared folder on each machine that has it.
    """

    hosts: Mapping[str, DockerHost]
    scheduler: pulumi.Input[str]
    key: InputSecret
    shared: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
