"""Refuses a server that the host has no room for, before it slows down everybody.

DockerSpawner knows limits but no guarantees, and would give everybody the same GPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .settings import Limits

LEAST_DISK = 256 * 1024**2  # bytes; with less, editors and the hub's database can't write
HINT = (
    "Try again when others have stopped theirs (File, Hub Control Panel, Stop My Server), or tell "
    "your teacher."
)


class NoRoom(Exception):
    """The server can't start now. Its text is a sentence for the user."""


@dataclass(frozen=True)
class Promise:
    """What one server was promised (bytes, cores, device ids)."""

    memory: int = 0
    cpu: float = 0.0
    gpus: tuple[str, ...] = ()

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> Promise:
        """As the hub's database has it; earlier releases knew memory only."""
        known = state.get("promise") or {"memory": state.get("guarantee", 0)}
        return cls(**known | {"gpus": tuple(known.get("gpus", ()))})

    def document(self) -> dict[str, Any]:
        """For the hub's database."""
        return asdict(self)


@dataclass(frozen=True)
class Host:
    """What the host has (bytes, cores, device ids)."""

    memory: int
    cpu: float
    gpus: tuple[str, ...] = ()


def this_host(proc: Path = Path("/proc")) -> Host:
    """The host that this container runs on: /proc is not its own there."""
    lines = (proc / "meminfo").read_text().splitlines()
    line = next(x for x in lines if x.startswith("MemTotal:"))
    found = list((proc / "driver/nvidia/gpus").glob("*"))
    gpus = tuple(str(index) for index in range(len(found)))
    return Host(int(line.split()[1]) * 1024, float(os.cpu_count() or 1), gpus)


def admit(limits: Limits, others: Iterable[Promise], host: Host, reserve: int) -> Promise:
    """What the server is promised; NoRoom where the host hasn't that much left.

    Args:
        reserve: bytes of memory that no server gets.
    """
    promised = list(others)
    memory = host.memory - reserve - sum(each.memory for each in promised)
    if limits.memory_guarantee > memory:
        needed, left = _mib(limits.memory_guarantee), _mib(max(memory, 0))
        raise NoRoom(
            f"There is no room for another server: it needs {needed} MiB and {left} MiB are left. "
            + HINT
        )
    cpu = host.cpu - sum(each.cpu for each in promised)
    if limits.cpu_guarantee > cpu + 1e-9:
        raise NoRoom(
            f"There is no room for another server: it needs {limits.cpu_guarantee:g} cores and "
            f"{max(cpu, 0):g} are left. " + HINT
        )
    taken = {gpu for each in promised for gpu in each.gpus}
    free = [gpu for gpu in host.gpus if gpu not in taken]
    if limits.gpus > len(host.gpus):
        has = _count(len(host.gpus))
        raise NoRoom(f"This size needs {_count(limits.gpus)}, and this machine has {has}.")
    if limits.gpus > len(free):
        raise NoRoom(
            f"Too many GPUs are in use: this size needs {_count(limits.gpus)}, "
            f"{_count(len(free))} left. " + HINT
        )
    return Promise(limits.memory_guarantee, limits.cpu_guarantee, tuple(free[: limits.gpus]))


def require_disk(folder: Path, least: int = LEAST_DISK) -> None:
    """NoRoom where a data disk is full: the server would start, and lose what is written."""
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < least:
        raise NoRoom(
            f"The disk of {folder.name} is full: {_mib(free)} MiB are left. Tell your teacher: "
            "delete what isn't needed, or make the disk larger."
        )


def _count(gpus: int) -> str:
    return {0: "no GPU", 1: "1 GPU"}.get(gpus, f"{gpus} GPUs")


def _mib(size: int) -> int:
    return size // 1024**2
