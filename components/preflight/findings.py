"""What is asked of a cloud, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """How a check ended."""

    ok = "ok"
    refused = "refused"
    unknown = "unknown"


@dataclass(frozen=True)
class Wanted:
    """What a stack will need, as far as a cloud can be asked about it.

    Attributes:
        name: the VM's; one that is there already must not count against its own quota.
        volumes: sizes of the disks, GiB.
        addresses: fixed public addresses.
    """

    platform: str
    name: str = ""
    region: str | None = None
    zone: str | None = None
    account: str | None = None
    machine_type: str | None = None
    cpus: int | None = None
    memory: int | None = None
    gpus: int = 0
    image: str | None = None
    volumes: tuple[int, ...] = ()
    addresses: int = 0
    address_pool: str | None = None
    domain: str | None = None
    spot: bool = False


@dataclass(frozen=True)
class Finding:
    """The answer to one question: a path of the stack file, what was found, what would do."""

    path: str
    verdict: Verdict
    found: str
    allowed: str = ""

    @classmethod
    def unknown(cls, path: str, why: str) -> Finding:
        """Nobody can tell."""
        return cls(path, Verdict.unknown, why)


def quota(path: str, what: str, needed: int, limit: int, used: int, way_out: str) -> Finding:
    """Whether something still fits into a quota; a negative limit is none."""
    left = limit - used
    if limit < 0 or needed <= left:
        return Finding(path, Verdict.ok, f"{needed} {what}")
    found = f"{needed} {what}; the quota is {limit}, {used} in use"
    return Finding(path, Verdict.refused, found, f"{max(left, 0)} {what}, or {way_out}")
