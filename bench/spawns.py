"""Spawn times of a hub, as its users see them, and the floor below which none can be."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests
from docker.models.containers import Container

from tests.checkout import ENGINE
from tests.client import User, eventually, logged_in

WITHIN = 120  # seconds, after which a spawn has failed


@dataclass(frozen=True)
class Spread:
    """Seconds of several runs; failures are counted apart."""

    seconds: list[float]
    failures: int = 0

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.seconds)

    @property
    def p95(self) -> float:
        """Nineteen of twenty are not slower."""
        return sorted(self.seconds)[max(0, round(0.95 * len(self.seconds)) - 1)]


def users(url: str, password: str, names: Iterable[str]) -> list[User]:
    """Users who are logged in, with no server yet."""
    return [logged_in(url, name, password) for name in names]


def spawn(user: User) -> float:
    """Seconds from asking for a server to its answer through the proxy, as a browser waits."""
    begun = time.monotonic()
    user.session.get(f"{user.url}/hub/spawn", allow_redirects=False)
    events = user.session.get(
        f"{user.url}/hub/api/users/{user.name}/server/progress",
        headers={"Referer": f"{user.url}/hub/spawn-pending/{user.name}"},
        stream=True,
        timeout=WITHIN,
    )
    for line in events.iter_lines(chunk_size=1):
        if line.startswith(b"data:"):
            event = json.loads(line.removeprefix(b"data:"))
            if event.get("failed"):
                raise TimeoutError(f"{user.name}: {event['message']}")
            if event.get("ready"):
                break
    while not _answers(user.at("api")):  # Jupyter tells its version to everybody
        time.sleep(0.02)
    return time.monotonic() - begun


def one_by_one(people: list[User]) -> Spread:
    """Each waits for the one before, and stops before the next."""
    seconds = []
    for user in people:
        seconds.append(spawn(user))
        user.stop()
    return Spread(seconds)


def at_once(people: list[User]) -> Spread:
    """All ask at the same time."""
    with ThreadPoolExecutor(len(people)) as pool:
        results = list(pool.map(_attempt(spawn), people))
    for user in people:
        user.stop()
    good = [seconds for seconds in results if seconds is not None]
    return Spread(good or [float("nan")], len(results) - len(good))


def _attempt(work: Callable[[User], float]) -> Callable[[User], float | None]:
    def attempt(user: User) -> float | None:
        try:
            return work(user)
        except (TimeoutError, requests.RequestException):
            return None

    return attempt


def floor(server: Container, rounds: int) -> tuple[Spread, Spread]:
    """The engine's part and the server's own, with nobody between: an exact copy of a server.

    Returns the seconds of create and start, and those until the server answers after that.
    """
    engine, own = [], []
    for number in range(rounds):
        begun = time.monotonic()
        copy = _copy(server, number)
        copy.start()
        started = time.monotonic()
        copy.reload()
        (network,) = copy.attrs["NetworkSettings"]["Networks"].values()
        url = f"http://{network['IPAddress']}:8888{_prefix(server)}api"
        eventually("the bare server answers", lambda url=url: _answers(url), WITHIN)
        engine.append(started - begun)
        own.append(time.monotonic() - started)
        copy.remove(force=True)
    return Spread(engine), Spread(own)


def _copy(server: Container, number: int) -> Container:
    config = server.attrs["Config"]
    api = ENGINE.api
    made = api.create_container(
        image=config["Image"],
        command=config["Cmd"],
        environment=config["Env"],
        user=config["User"],
        working_dir=config["WorkingDir"],
        name=f"{server.name}-floor-{number}",
        host_config=server.attrs["HostConfig"] | {"AutoRemove": False, "RestartPolicy": None},
    )
    return ENGINE.containers.get(made["Id"])


def _prefix(server: Container) -> str:
    values = dict(line.split("=", 1) for line in server.attrs["Config"]["Env"])
    return values["JUPYTERHUB_SERVICE_PREFIX"]


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5, allow_redirects=False).status_code == 200
    except requests.ConnectionError:
        return False


def memory(container: Container) -> float:
    """MiB that a container uses, the page cache left out."""
    stats = container.stats(stream=False)["memory_stats"]
    cache = stats["stats"].get("inactive_file", stats["stats"].get("total_inactive_file", 0))
    return float(stats["usage"] - cache) / 1024**2
