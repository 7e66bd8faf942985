"""When idle servers are stopped: never before they had the time to report."""

from __future__ import annotations

import asyncio
import math
import sys
from typing import Any

import pytest
from hubkit import idle

TIMEOUT, WAIT = 3600, 600
ARGUMENTS = ["--url=http://hub", f"--timeout={TIMEOUT}", "--cull-every=300", "--max-age=0"]


class Clocks:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.passed, self.set_by = 1000.0, 0.0

    def monotonic(self) -> float:
        return self.passed

    def time(self) -> float:
        return self.passed + self.set_by


class Enough(Exception):
    """The test has seen what it wanted to."""


def stopped_after(monkeypatch: pytest.MonkeyPatch, jumps: dict[int, float]) -> list[float]:
    """The idle time after which servers are stopped, look by look; the clock is set before some."""
    clocks, found = Clocks(), []

    async def cull(url: str, token: str, timeout: float, **_: Any) -> None:
        found.append(timeout)

    async def sleep(seconds: float) -> None:
        if len(found) == 8:
            raise Enough
        clocks.passed += seconds
        clocks.set_by += jumps.get(len(found), 0)

    monkeypatch.setattr(idle, "time", clocks)
    monkeypatch.setattr(idle, "cull_idle", cull)
    monkeypatch.setattr(idle.asyncio, "sleep", sleep)
    monkeypatch.setattr(sys, "argv", ["idle", *ARGUMENTS, f"--wait={WAIT}"])
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "x")
    loop = asyncio.new_event_loop()
    with pytest.raises(Enough):
        loop.run_until_complete(idle.main())
    loop.close()
    return found


NEVER = math.inf


def test_servers_report_first_after_the_hub_s_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stopped_after(monkeypatch, {}) == [NEVER] * 2 + [TIMEOUT] * 6


@pytest.mark.parametrize("by", [7200.0, -7200.0])
def test_they_report_first_when_the_clock_was_set(
    monkeypatch: pytest.MonkeyPatch, by: float
) -> None:
    found = stopped_after(monkeypatch, {4: by})
    assert found == [NEVER] * 2 + [TIMEOUT] * 2 + [NEVER] * 2 + [TIMEOUT] * 2
    assert stopped_after(monkeypatch, {4: by / 1000})[4:] == [TIMEOUT] * 4
