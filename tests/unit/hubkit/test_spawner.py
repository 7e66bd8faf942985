"""What the spawner asks of the engine, and how many servers start at a time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hubkit import spawner, turns
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


def test_who_takes_long_lets_the_next_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "HOLDS", 0.05)

    async def both() -> None:
        queue, second = turns.Turns(1), asyncio.Event()

        async def slow() -> None:
            async with queue.take("anna"):
                await asyncio.wait_for(second.wait(), 10)

        async def next_one() -> None:
            async with queue.take("ben"):
                second.set()

        await asyncio.gather(slow(), next_one())
        async with queue.take("carla"):  # each gives its turn back once
            assert queue.must_wait("ben")

    asyncio.new_event_loop().run_until_complete(both())


def test_nobody_starts_two_servers_at_a_time() -> None:
    async def two() -> list[str]:
        queue, seen = turns.Turns(3), []
        begun = asyncio.Event()

        async def start(user: str, server: str) -> None:
            async with queue.take(user):
                seen.append(f"{server} begins")
                begun.set()
                for _ in range(5):
                    await asyncio.sleep(0)
                seen.append(f"{server} is there")

        first = asyncio.ensure_future(start("anna", "first"))
        await begun.wait()
        assert queue.must_wait("anna") and not queue.must_wait("ben")
        await asyncio.gather(first, start("anna", "second"), start("ben", "other"))
        return seen

    seen = asyncio.new_event_loop().run_until_complete(two())
    assert seen.index("other begins") < seen.index("first is there")
    assert seen.index("first is there") < seen.index("second begins")


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
