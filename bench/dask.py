"""The Dask cluster of a hub beside `LocalCluster` in one container: joining, and cost per task."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from docker.models.containers import Container

from components.dask_cluster.args import DASHBOARD_PORT
from tests.checkout import ENGINE, Checkout, running
from tests.client import logged_in

TITLE = "Dask"
WORKERS = (2, 4)
TASKS, ROUNDS = 5000, 5
ABOUT = f"""\
A hub's shared cluster (scheduler and workers in a container each, notebooks come by the cluster's
own proxy) beside `dask.distributed.LocalCluster` (processes) in one container: same image, same
number of workers with one thread each, in turns, {ROUNDS} times. A task gives back its argument;
{TASKS} are submitted one by one and gathered, from a user's server in both cases.
Joining is from the start of the containers, which are there, until the scheduler knows all
workers. The floor of joining is one container's start and its import of Dask; that of a task is
LocalCluster: the same scheduler and workers with nothing but loopback between them."""
CONFIG = {
    "hub": {
        "images": [
            {
                "title": "Dask",
                "source": {"build": "images/dask", "base": "images/notebook"},
                "memory_limit": "4G",
            }
        ],
    },
    "dask": {"memory": "512M", "subnet": "10.242.24.0/24", "proxy_api_port": 8624},
}
SCHEDULER = "10.242.24.2"
WITHIN = 120  # seconds

_CLUSTER = "LocalCluster(n_workers={workers}, threads_per_worker=1, memory_limit='512M')"
_OURS, _LOCAL = "Client(timeout=60)", f"Client({_CLUSTER})"
_PER_TASK = """
import time
from dask.distributed import Client, LocalCluster

def same(value):
    return value

def batch(client, count):
    begun = time.monotonic()
    client.gather([client.submit(same, i, pure=False) for i in range(count)])
    return (time.monotonic() - begun) / count

client = {client}
client.wait_for_workers({workers}, timeout=60)
batch(client, {tasks})
print(batch(client, {tasks}), flush=True)
"""
_JOINED = b"joined"
_IMPORTED = "import dask.distributed; print('joined')"
_LOCAL_JOINED = f"""
from dask.distributed import LocalCluster
cluster = {_CLUSTER}
cluster.wait_for_workers({{workers}}, timeout=60)
print("joined")
"""


def rows(folder: Path) -> list[tuple[str, str, str]]:
    """For each number of workers: joining and a task, ours and LocalCluster's."""
    with running(folder, "tbenchdask", 24, CONFIG) as hub:
        user = logged_in(hub.url, "idle", hub.secrets()["class_password"])
        user.start()
        image = hub.container("dask-scheduler").attrs["Config"]["Image"]
        starts = [_start_alone(image, _IMPORTED) for _ in range(ROUNDS + 1)][1:]
        floor = statistics.median(starts)
        found = [("floor of joining: one container's start and import, p50", f"{floor:.2f} s", "")]
        for workers in WORKERS:
            hub.configure(dask={"workers": workers})
            hub.make("up")
            found += _joining(hub, image, workers, floor) + _tasks(hub.server("idle"), workers)
        user.stop()
        return found


def _joining(hub: Checkout, image: str, workers: int, floor: float) -> list[tuple[str, str, str]]:
    alone = _LOCAL_JOINED.format(workers=workers)
    rounds = [(_start(hub, workers), _start_alone(image, alone)) for _ in range(ROUNDS)]
    ours, local = map(statistics.median, zip(*rounds, strict=True))
    ratios = f"{ours / local:.2f} x LocalCluster = {ours / floor:.2f} x floor"
    return [
        (f"{workers} workers have joined, p50", f"{ours:.2f} s = {ratios}", ""),
        ("the same of LocalCluster", f"{local:.2f} s = {local / floor:.2f} x floor", ""),
    ]


def _start(hub: Checkout, workers: int) -> float:
    """Seconds from the start of all the cluster's containers until its workers have joined."""
    scheduler, others = hub.container("dask-scheduler"), hub.containers("dask-worker")
    with ThreadPoolExecutor(len(others)) as pool:
        list(pool.map(_stop, [scheduler, *others]))
        begun = time.monotonic()
        scheduler.start()  # before those that wait for it
        list(pool.map(Container.start, others))
    while _joined() != workers:
        if time.monotonic() > begun + WITHIN:
            raise TimeoutError(f"{_joined()} of {workers} workers have joined")
        time.sleep(0.02)
    return time.monotonic() - begun


def _stop(container: Container) -> None:
    container.stop(timeout=5)


def _joined() -> int:
    """How many workers the scheduler knows."""
    url = f"http://{SCHEDULER}:{DASHBOARD_PORT}/json/counts.json"
    try:
        return int(requests.get(url, timeout=5).json()["workers"])
    except requests.RequestException:
        return 0


def _start_alone(image: str, code: str) -> float:
    """Seconds from the start of a container until its program says that it is where it should."""
    made = ENGINE.containers.create(image, ["python3", "-uc", code])
    try:
        begun = time.monotonic()
        made.start()
        if not any(_JOINED in line for line in made.logs(stream=True, follow=True)):
            raise RuntimeError(made.logs().decode())
        return time.monotonic() - begun
    finally:
        made.remove(force=True)


def _tasks(server: Container, workers: int) -> list[tuple[str, str, str]]:
    rounds = [[_per_task(server, c, workers) for c in (_OURS, _LOCAL)] for _ in range(ROUNDS)]
    ours, local = map(statistics.median, zip(*rounds, strict=True))
    ratio = f"{ours / local:.2f} x LocalCluster"
    return [
        (f"a task on {workers} workers, p50", f"{1000 * ours:.3f} ms = {ratio}", ""),
        ("the same on LocalCluster", f"{1000 * local:.3f} ms", ""),
    ]


def _per_task(server: Container, client: str, workers: int) -> float:
    """Seconds for each task, as a program in the user's server sees it."""
    made = client.format(workers=workers)
    code = _PER_TASK.format(client=made, workers=workers, tasks=TASKS)
    done = server.exec_run(["python3", "-c", code], demux=True)
    printed, said = done.output
    if done.exit_code:
        raise RuntimeError(said.decode())
    return float(printed)
