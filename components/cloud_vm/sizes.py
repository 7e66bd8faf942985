"""Which machine type is the smallest that fits, out of those that a cloud offers."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .args import SizeArgs

_TABLES = Path(__file__).parent / "machine_types"
_GIB = 1024**3


@dataclass(frozen=True)
class MachineType:
    """A type (flavor) of a cloud. Memory in bytes."""

    name: str
    cpus: int
    memory: int
    arch: str
    gpus: int = 0
    gpu_type: str | None = None

    def __str__(self) -> str:
        gpus = f", {self.gpus} x {self.gpu_type}" if self.gpus else ""
        return f"{self.name} ({self.cpus} cpus, {self.memory / _GIB:g} GiB{gpus})"


class NoFit(ValueError):
    """Nothing is that large: what was asked for, and the nearest that exist."""

    def __init__(self, asked: str, nearest: str) -> None:
        super().__init__(f"found {asked}; allowed: what exists, the nearest: {nearest}")
        self.asked, self.nearest = asked, nearest


@functools.cache
def table(platform: str) -> tuple[MachineType, ...]:
    """The types of a cloud that has a table; source and date are in its first lines."""
    with (_TABLES / f"{platform}.csv").open() as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return tuple(
            MachineType(
                name=row["name"],
                cpus=int(row["cpus"]),
                memory=int(float(row["memory_gib"]) * _GIB),
                arch=row["arch"],
                gpus=int(row["gpus"] or 0),
                gpu_type=row["gpu_type"] or None,
            )
            for row in rows
        )


def has_table(platform: str) -> bool:
    """Whether the types of a cloud are known without asking it."""
    return (_TABLES / f"{platform}.csv").exists()


def smallest(wanted: SizeArgs, offered: Iterable[MachineType]) -> MachineType:
    """The type that fits with the fewest GPUs, cores and least memory; among equals the first.

    A size without GPUs never takes a type that has them.
    """
    types = [each for each in offered if each.arch == wanted.arch.value]
    fitting = [each for each in types if _fits(wanted, each)]
    if not fitting:
        raise NoFit(_words(wanted), _nearest(wanted, types))
    return min(fitting, key=lambda each: (each.gpus, each.cpus, each.memory))


def _fits(wanted: SizeArgs, each: MachineType) -> bool:
    # Clouds count a little less than they say; a request for 8G is not one for 16.
    enough = each.cpus >= wanted.cpus and each.memory >= int(wanted.memory) * 0.97
    if not wanted.gpus:
        return enough and not each.gpus
    same = wanted.gpu_type is None or (each.gpu_type or "").lower() == wanted.gpu_type.lower()
    return enough and same and each.gpus >= wanted.gpus


def _nearest(wanted: SizeArgs, types: list[MachineType]) -> str:
    """Three types that come close: of the GPU that was asked for, else the largest."""
    if wanted.gpus:
        close = [each for each in types if each.gpus]
        named = [e for e in close if (e.gpu_type or "").lower() == (wanted.gpu_type or "").lower()]
        close = named or close
    else:
        close = [each for each in types if not each.gpus]

    def distance(each: MachineType) -> tuple[int, float]:
        cores, memory = wanted.cpus / each.cpus, int(wanted.memory) / each.memory
        return (max(0, wanted.gpus - each.gpus), max(0.0, cores - 1) + max(0.0, memory - 1))

    return ", ".join(map(str, sorted(close, key=distance)[:3])) or "none of this kind"


def _words(wanted: SizeArgs) -> str:
    gpus = f", {wanted.gpus} x {wanted.gpu_type or 'any GPU'}" if wanted.gpus else ""
    memory = int(wanted.memory) / _GIB
    return f"{wanted.cpus} cpus, {memory:.3g} GiB{gpus}, {wanted.arch.value}"
