"""Refuses a server that the host's memory has no room for, before it slows down everybody."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def total_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """The host's memory in bytes."""
    line = next(x for x in meminfo.read_text().splitlines() if x.startswith("MemTotal:"))
    return int(line.split()[1]) * 1024


def refusal(guarantee: int, others: Iterable[int], total: int, reserve: int) -> str | None:
    """A sentence for the user when there is no room, else None. All in bytes."""
    free = total - reserve - sum(others)
    if guarantee <= free:
        return None
    return (
        f"There is no room for another server: it needs {_mib(guarantee)} MiB and "
        f"{_mib(max(free, 0))} MiB are left. Try again when others have stopped theirs "
        "(File, Hub Control Panel, Stop My Server), or tell your teacher."
    )


def _mib(size: int) -> int:
    return size // 1024**2
