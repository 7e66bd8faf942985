"""A Dask computation from a notebook on the shared workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.checkout import Checkout
from tests.client import User, eventually, logged_in
from tests.local.isolation import probes
from tests.local.test_roster import passwords
from tests.servers import outside


@pytest.fixture(scope="module")
def teacher(roster_hub: Checkout) -> Iterator[User]:
    user = logged_in(roster_hub.url, "teacher", passwords(roster_hub)["teacher"])
    user.start()
    yield user
    user.stop()


def test_a_computation_runs_on_both_workers(teacher: User) -> None:
    code = """
from dask.distributed import Client
import socket
client = Client(timeout=20)
client.wait_for_workers(2, timeout=60)
names = client.run(lambda: __import__("socket").gethostname())
total = client.submit(sum, client.map(lambda x: x * x, range(100))).result(timeout=60)
print(len(set(names.values())), socket.gethostname() in names.values(), total)
client.close()
"""
    assert teacher.run(code) == "2 False 328350"


def test_the_dashboard_is_behind_the_login(roster_hub: Checkout, teacher: User) -> None:
    code = "from dask.distributed import Client; c = Client(timeout=20); print(c.dashboard_link)"
    link = roster_hub.url + teacher.run(code)
    assert "Dask" in teacher.session.get(link).text
    stranger = requests.get(link, timeout=10)
    assert "/hub/login" in stranger.url


def test_jupyterlab_shows_dashboards_beside_the_notebook(teacher: User) -> None:
    assert teacher.get("dask/clusters").json() == []
    extensions = teacher.get("lab").text
    assert "dask-labextension" in extensions


def test_workers_reach_nothing_of_the_hub_nor_around_it(
    roster_hub: Checkout, teacher: User
) -> None:
    code = f"""
from dask.distributed import Client
def look():
    import os, socket
    reached = []
    inner = ({roster_hub.gateway!r}, 8081), ("10.242.0.1", {roster_hub.port + 100})
    for host, port in (*inner, ("10.97.7.9", 2049), ("10.97.7.9", 53)):
        try:
            socket.create_connection((host, port), timeout=3)
            reached.append((host, port))
        except OSError:
            pass
    tokens = [name for name in os.environ if "TOKEN" in name or "PASSWORD" in name]
    written = os.access("/home/jovyan/shared", os.W_OK)
    return reached, tokens, written, os.getuid()
client = Client(timeout=20)
print(set(map(str, client.run(look).values())))
"""
    with outside.machine("10.97.7.9", outside.listener(2049, 53)):
        eventually("it listens", lambda: probes.reached([["10.97.7.9", 2049]]), 20)
        assert teacher.run(code) == "{\"([('10.97.7.9', 53)], [], False, 1000)\"}"


def test_after_a_restart_its_containers_may_start_in_any_order(
    roster_hub: Checkout, teacher: User
) -> None:
    """As the engine starts them: a worker's new address is never the scheduler's."""
    scheduler, workers = (
        roster_hub.container("dask-scheduler"),
        roster_hub.containers("dask-worker"),
    )
    for container in (scheduler, *workers):
        container.stop(timeout=5)
    for container in (*workers, scheduler):
        container.start()
    code = """
from dask.distributed import Client
client = Client(timeout=60)
client.wait_for_workers(2, timeout=60)
print(client.submit(sum, [1, 2, 3]).result(timeout=60))
"""
    # Until the scheduler listens, Dask gives up at once: its proxy has taken the connection.
    eventually("both workers", lambda: teacher.run(code) == "6", 120)
