"""A class at once: 50 people log in, start, work and leave, twice; and what a further route costs.

The build before this was looked at runs beside the one of today, in the same run, with the same
stand-ins: what is compared is the hub's own code, its database and its proxy.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import requests
import websocket

from components.traefik_proxy.args import TraefikProxyArgs
from components.traefik_proxy.docker import dynamic_rules, static_flags
from tests.checkout import ENGINE
from tests.client import User, eventually
from tests.servers import docker_hub
from tests.servers.docker_hub import DockerHub
from toolchain.setup.base_images import TRAEFIK

from . import spawns

TITLE = "A class at once"
PEOPLE, TIMES, ROUNDS, MESSAGES = 50, 2, 2, 20
EVERY = 0.1  # seconds
ROUTES = 300
BEFORE = "169a6ce"  # the last build whose hub waited for the disk at each change
PORT, API_PORT = 8495, 8595
ABOUT = f"""\
{PEOPLE} people log in at once with their first passwords, start a server each, open a websocket,
send {MESSAGES} messages, stop the server and log out, {TIMES} times. JupyterHub, its database on
this machine's disk, Traefik and the spawner are real; the engine is a stand-in whose containers
answer at once, so that nothing but the hub is waited for. Before is the hub of {BEFORE}, in the
same run, in turns with today's, {ROUNDS} times; medians. The loop's stall is the longest time in
which the hub answered nobody; somebody else opens the login page all the time. A new route is asked
for by its hub while Traefik has {ROUTES}, and counts once a request comes through."""

Row = tuple[str, str, str]


@dataclass
class Measured:
    """What one build took, each time."""

    seconds: list[float] = field(default_factory=list)
    stall: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    route: list[float] = field(default_factory=list)
    failures: int = 0


def rows(folder: Path) -> list[Row]:
    """Before and now, side by side."""
    builds = {"before": _build_of(BEFORE, folder), "now": docker_hub.HUBKIT}
    found = {name: Measured() for name in builds}
    with docker_hub.notebooks(PEOPLE):
        for number in range(ROUNDS):
            for name, hubkit in builds.items():
                own = folder / f"{name}-{number}"
                own.mkdir()
                _measure(own, hubkit, found[name])
    before, now = found["before"], found["now"]
    p95 = [spawns.Spread(each.answers).p95 for each in (before, now)]
    return [
        _row("all, until the last has left", "s", before.seconds, now.seconds, "≤ 0.6"),
        _row("the loop's longest stall", "s", before.stall, now.stall, "≤ 0.2"),
        _row("memory of the hub", "MiB", before.memory, now.memory, "≤ 1.0"),
        _row(f"a new route beside {ROUTES}", "s", before.route, now.route, "≤ 0.4"),
        ("the login page meanwhile, p95", f"{p95[1]:.2f} s (before {p95[0]:.2f} s)", "< 1 s"),
        ("people who failed, before and now", f"{before.failures}, {now.failures}", "now 0"),
    ]


def _row(what: str, unit: str, before: list[float], now: list[float], aim: str) -> Row:
    old, new = statistics.median(before), statistics.median(now)
    return (what, f"{new:.2f} {unit} = {new / old:.2f} x before ({old:.2f} {unit})", aim)


def _build_of(commit: str, folder: Path) -> Path:
    """The hub's code as it was."""
    archive = subprocess.run(
        ["git", "archive", commit, "images/hub/hubkit"],
        cwd=docker_hub.ROOT,
        capture_output=True,
        check=True,
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder / "images/hub"


def _rules(hubkit: Path) -> str:
    """The file that this build tells Traefik by."""
    return "hub.yaml" if hubkit == docker_hub.HUBKIT else "hub.toml"


def _measure(folder: Path, hubkit: Path, into: Measured) -> None:
    people = [f"student{number}" for number in range(PEOPLE)]
    with _traefik(folder / "routes") as proxy:
        rules = str(folder / "routes" / _rules(hubkit))
        told = docker_hub.settings(people, proxy=proxy | {"rules_file": rules})
        told["public_url"] = f"http://127.0.0.1:{PORT}"
        with docker_hub.running(folder, told, hubkit) as hub:
            _lesson(hub, people, told["public_url"], into)
    with _traefik(folder / "more-routes") as proxy:
        into.route += _new_routes(hubkit, folder / "more-routes" / _rules(hubkit), proxy)


def _lesson(hub: DockerHub, people: list[str], url: str, into: Measured) -> None:
    eventually("the login page", lambda: requests.get(f"{url}/hub/login", timeout=5).ok)
    hub.stall()
    with _somebody_else(f"{url}/hub/login", into.answers):
        begun = time.monotonic()
        for _ in range(TIMES):
            with ThreadPoolExecutor(len(people)) as pool:
                done = list(pool.map(lambda name: _person(url, name), people))
            into.failures += done.count(False)
        into.seconds.append(time.monotonic() - begun)
    seen = hub.look()
    into.stall.append(seen["longest"])
    into.memory.append(seen["memory"])


@contextlib.contextmanager
def _somebody_else(page: str, answers: list[float]) -> Iterator[None]:
    """Opens a page again and again meanwhile."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(EVERY):
            answers.append(requests.get(page, timeout=60).elapsed.total_seconds())

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield
        finally:
            done.set()
    looking.result()


def _person(url: str, name: str) -> bool:
    user = User(url, name)
    try:
        if user.login(docker_hub.password(name)).status_code != 302:
            return False
        spawns.spawn(user)
        _work(user)
        user.stop()
        user.session.get(f"{url}/hub/logout")
    except (requests.RequestException, websocket.WebSocketException, TimeoutError, AssertionError):
        return False
    return True


def _work(user: User) -> None:
    channels = user.at("api/kernels/1/channels").replace("http", "ws", 1)
    with contextlib.closing(websocket.create_connection(channels, timeout=60)) as kernel:
        for number in range(MESSAGES):
            kernel.send(str(number))
            if kernel.recv() != str(number):
                raise websocket.WebSocketException("another answer")


@contextlib.contextmanager
def _traefik(folder: Path) -> Iterator[dict[str, str]]:
    """Traefik as the component starts it; gives what a hub is told of it."""
    folder.mkdir()
    args = TraefikProxyArgs(http_port=PORT, api_port=API_PORT)
    (folder / "fixed.yml").write_text(json.dumps(dynamic_rules(args)))
    made = ENGINE.containers.run(
        TRAEFIK,
        static_flags(args, ["127.0.0.1"]),
        detach=True,
        network_mode="host",
        volumes=[f"{folder}:/routes:ro"],
    )
    api = f"http://127.0.0.1:{API_PORT}"
    try:
        eventually("Traefik", lambda: requests.get(f"{api}/ping", timeout=5).ok)
        yield {"api_url": api, "entry_point": args.entry_point}
    finally:
        made.remove(force=True)


def _new_routes(hubkit: Path, rules: Path, proxy: dict[str, str]) -> list[float]:
    """Seconds of each of some routes, with the code of a build."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.new_route", str(rules), proxy["api_url"], str(PORT)],
        cwd=docker_hub.ROOT,
        env={"PYTHONPATH": f"{hubkit}:{docker_hub.ROOT}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return list(json.loads(done.stdout))
