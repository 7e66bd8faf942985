"""Threads for what would hold up the hub: apart by kind, so that none waits for another's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_CORES = os.cpu_count() or 1
# The engine: looks whether servers are there, starts and ends.
POLLS = ThreadPoolExecutor(2, "polls")
STARTS = ThreadPoolExecutor(4, "starts")
ENDS = ThreadPoolExecutor(2, "ends")
# The data disks: one that hangs keeps its threads for as long.
FILES = ThreadPoolExecutor(4, "files")
# The hub's own small files, one after the other: to replace one is to wait for the disk, too.
STATE = ThreadPoolExecutor(1, "state")
# The processor alone: a core is left to the hub itself.
PASSWORDS = ThreadPoolExecutor(max(1, _CORES - 1), "passwords")


async def run(
    pool: ThreadPoolExecutor, work: Callable[..., T], *args: object, within: float | None = None
) -> T:
    """The work's result; TimeoutError where it takes longer than `within` seconds.

    What a disk or an engine never answers stays in its thread until it does.
    """
    return await asyncio.wait_for(
        asyncio.get_running_loop().run_in_executor(pool, work, *args), within
    )
