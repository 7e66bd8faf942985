"""What the spawner asks of the engine, and how many servers start at a time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hubkit import spawner
from hubkit.settings import Limits

GIB = 1024**3
LIMITS = Limits(
    memory=2 * GIB,
    memory_guarantee=0,
    swap=GIB,
    cpu=None,
    cpu_guarantee=0,
    gpus=1,
    shm_size=64,
    pids=100,
)


def test_every_limit_reaches_the_engine() -> None:
    made = spawner._host_config(LIMITS, ("1",))
    assert made["memswap_limit"] == 3 * GIB  # the engine counts memory and swap together
    assert (made["pids_limit"], made["shm_size"]) == (100, 64)
    assert made["device_requests"][0]["DeviceIDs"] == ["1"]
    assert made["cap_drop"] == ["ALL"]
    assert made["security_opt"] == ["no-new-privileges"]
    unlimited = spawner._host_config(LIMITS.model_copy(update={"memory": None}), ())
    assert not {"memswap_limit", "device_requests"} & set(unlimited)


def test_only_so_many_servers_start_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawner, "_turns", spawner.cache(spawner._turns.__wrapped__))
    starting, most, waited = 0, 0, 0

    class Server:
        engine = SimpleNamespace(spawn=SimpleNamespace(concurrency=3, start_timeout=10))
        _waits = False

        def __init__(self, name: str) -> None:
            self.user = SimpleNamespace(name=name)

        async def _start_container(self) -> tuple[str, int]:
            nonlocal starting, most
            starting += 1
            most = max(most, starting)
            await asyncio.sleep(0.01)
            starting -= 1
            return "address", 1

    async def all_at_once() -> list[Any]:
        nonlocal waited
        servers = [Server(f"user{number}") for number in range(10)]
        started = [asyncio.ensure_future(spawner.HubSpawner._in_turn(s)) for s in servers]  # type: ignore[arg-type]
        await asyncio.sleep(0)
        waited = sum(server._waits for server in servers)
        return await asyncio.gather(*started)

    loop = asyncio.new_event_loop()  # asyncio.run would end the one of other tests
    try:
        assert loop.run_until_complete(all_at_once()) == [("address", 1)] * 10
    finally:
        loop.close()
    assert (most, waited) == (3, 7)
    assert spawner._turns.__wrapped__(0)._free._value == (spawner.os.cpu_count() or 1) + 1
