"""How long a hub on this machine takes to come up and to start servers, and what it weighs."""

from __future__ import annotations

import time
from pathlib import Path

from tests.checkout import Checkout, running
from tests.client import logged_in

from . import spawns, stock
from .spawns import Spread

TITLE = "A hub"
ROUNDS, AT_ONCE = 8, 8
ABOUT = f"""\
All in one run; spawns are {ROUNDS} one by one and {AT_ONCE} at once. The floor is an
exact copy of a user's container, started without any hub. Stock is JupyterHub with
DockerSpawner and configurable-http-proxy as they come, same images, same machine."""
CONFIG = {
    "hub": {"images": [{"title": "Python", "source": {"build": "images/notebook"}}]},
}


def rows(folder: Path) -> list[tuple[str, str, str]]:
    """Everything that users and operators of a hub wait for."""
    with running(folder / "first", "tbench", 7, CONFIG):
        pass  # images and tools are there now
    found = []
    begun = time.monotonic()
    with running(folder / "second", "tbench", 7, CONFIG) as hub:
        first = time.monotonic() - begun
        begun = time.monotonic()
        hub.make("up")
        second = time.monotonic() - begun
        found.append(("`make up`, images present, to the login page", f"{first:.1f} s", "≤ 15 s"))
        found.append(("second `make up`, nothing to change", f"{second:.1f} s", "≤ 8 s"))
        found += _spawn_rows(hub)
    return found


def _spawn_rows(hub: Checkout) -> list[tuple[str, str, str]]:
    password = hub.secrets()["class_password"]
    idle = logged_in(hub.url, "idle", password)
    idle.start()
    server = hub.server("idle")
    engine, own = spawns.floor(server, ROUNDS)
    floor = engine.p50 + own.p50
    people = spawns.users(hub.url, password, [f"user{i}" for i in range(AT_ONCE)])
    spawns.spawn(people[0])  # the first of all warms the page cache for everybody
    people[0].stop()
    ours = spawns.one_by_one(people)
    ours_at_once = spawns.at_once(people)
    rows = [
        ("floor: container create + start, p50", f"{engine.p50:.2f} s", ""),
        ("floor: the server's own start, p50", f"{own.p50:.2f} s", ""),
        ("floor, together", f"{floor:.2f} s", ""),
        ("spawn one by one, p50", f"{ours.p50:.2f} s = {ours.p50 / floor:.2f} x floor", "≤ 1.3"),
        ("spawn one by one, p95", f"{ours.p95:.2f} s", ""),
        (f"{AT_ONCE} at once, p50", f"{ours_at_once.p50:.2f} s", ""),
    ]
    rows += _against_stock(hub, server.attrs["Config"]["Image"], ours, ours_at_once)
    idle.get("api/status")
    rows += [
        ("memory of the hub", f"{spawns.memory(hub.container('hub')):.0f} MiB", ""),
        ("memory of the guard", f"{spawns.memory(hub.container('guard')):.0f} MiB", ""),
        ("memory of Traefik", f"{spawns.memory(hub.container('proxy')):.0f} MiB", ""),
        ("memory of an idle user's server", f"{spawns.memory(server):.0f} MiB", ""),
    ]
    idle.stop()
    return rows


def _against_stock(
    hub: Checkout, notebook: str, ours: Spread, ours_at_once: Spread
) -> list[tuple[str, str, str]]:
    failures = (f"{AT_ONCE} at once, failures", str(ours_at_once.failures), "0")
    if reason := stock.missing():
        measured = f"{ours_at_once.p95:.2f} s"
        return [(f"{AT_ONCE} at once, p95 (no comparison: {reason})", measured, ""), failures]
    hub_image = hub.container("hub").attrs["Config"]["Image"]
    with stock.hub(hub_image, notebook) as url:
        people = spawns.users(url, stock.PASSWORD, [f"stock{i}" for i in range(AT_ONCE)])
        spawns.spawn(people[0])
        people[0].stop()
        theirs = spawns.one_by_one(people)
        theirs_at_once = spawns.at_once(people)
    ratio = ours_at_once.p95 / theirs_at_once.p95
    return [
        (f"{AT_ONCE} at once, p95", f"{ours_at_once.p95:.2f} s = {ratio:.2f} x stock", "≤ 0.7"),
        failures,
        ("stock one by one, p50", f"{theirs.p50:.2f} s", ""),
        (f"stock {AT_ONCE} at once, p50", f"{theirs_at_once.p50:.2f} s", ""),
        (f"stock {AT_ONCE} at once, p95", f"{theirs_at_once.p95:.2f} s", ""),
    ]
