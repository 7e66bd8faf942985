"""How many servers a host carries, and what is warned of."""

from __future__ import annotations

from components.jupyterhub_host.args import JupyterHubHostArgs
from components.jupyterhub_host.servers import LimitsArgs, ServerSizeArgs
from components.jupyterhub_host.sizing import GIB, HostSize, sizing, warnings

HOST = HostSize(cpus=4, memory=16 * GIB)


def test_guarantees_say_how_many_fit() -> None:
    size = LimitsArgs(memory_guarantee="1GiB", memory_limit="2GiB")
    found = sizing(30, size, HOST, reserve=GIB)
    assert (found.fits, found.spawn_concurrency, found.needed) == (15, 5, 31 * GIB)
    assert sizing(1, LimitsArgs(cpu_guarantee=0.5), HOST, 0).fits == 8
    assert sizing(1, LimitsArgs(gpus=1), HostSize(4, 16 * GIB, gpus=2), 0).fits == 2


def test_starting_takes_the_cores_time() -> None:
    few = sizing(40, LimitsArgs(), HOST, 0).all_started
    assert sizing(80, LimitsArgs(), HOST, 0).all_started == 2 * few
    assert sizing(40, LimitsArgs(), HostSize(8, 16 * GIB), 0).all_started == few / 2


def test_a_class_that_fits_is_no_news() -> None:
    assert list(warnings(JupyterHubHostArgs(class_size=30), HOST)) == []
    assert list(warnings(JupyterHubHostArgs(), HOST)) == []


def test_a_class_that_does_not_fit_is_told_with_what_would() -> None:
    sizes = [
        ServerSizeArgs(title="Small", memory_guarantee="1GiB"),
        ServerSizeArgs(title="Large", memory_limit="64GiB", memory_guarantee="32GiB"),
    ]
    large, none, full, slow = warnings(JupyterHubHostArgs(sizes=sizes, class_size=200), HOST)
    assert large.startswith("Large: a memory_limit of 64.0 GiB is more than this host has")
    assert none == "Large: not even one server of this size fits on the host"
    assert "a class of 200 does not fit: 15 servers of `Small` do" in full
    assert "200 need 200.9 GiB of memory" in full
    assert "the last one waits 100 seconds" in slow
