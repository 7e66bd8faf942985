"""One hub for the whole suite: TLS, open to the network, a roster, an image of every kind."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import urllib3

from tests.checkout import Checkout, running
from tests.client import User, eventually, logged_in
from tests.local.isolation.probes import reached
from tests.local.kinds import KINDS
from tests.local.test_roster import passwords
from tests.servers import outside

urllib3.disable_warnings()
NUMBER, HTTPS_PORT = 20, 8470
# Of machines of the site, all of which listen at the same ports.
NAMED, BY_NAME, OTHERS = "10.98.7.9", "10.98.8.9", ("172.31.207.9", "192.168.207.9", "100.64.7.9")
PUBLIC = "198.51.100.9"
DNS, NFS, DATABASE = 53, 2049, 5432
LIMITS = {"memory_limit": "768M", "cpu_limit": 1}


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    config = {
        "hub": {
            "login": {"kind": "roster", "users": ["anna", "ben", "late", "gone", *KINDS]},
            "images": [
                {"title": kind, "source": source, **LIMITS} for kind, source in KINDS.items()
            ],
            # The users' own range among them, which is no way from one to another.
            "reach": [f"{NAMED}:{DATABASE}", f"db.class.test:{DATABASE}", "10.244.0.0/16"],
        },
        "proxy": {
            "bind_address": "0.0.0.0",
            "https_port": HTTPS_PORT,
            "tls": {"kind": "self_signed"},
        },
    }
    with running(tmp_path_factory.mktemp("isolation"), "tiso", NUMBER, config) as checkout:
        yield checkout


@pytest.fixture(scope="package")
def known(hub: Checkout) -> dict[str, str]:
    """Everybody's password."""
    return passwords(hub)


def log_in(hub: Checkout, known: dict[str, str], name: str) -> User:
    return logged_in(f"https://127.0.0.1:{HTTPS_PORT}", name, known[name], verify=False)


@pytest.fixture(scope="package")
def anna(hub: Checkout, known: dict[str, str]) -> Iterator[User]:
    """Who is attacked."""
    user = log_in(hub, known, "anna")
    user.start("notebook")
    yield user
    user.stop()


@pytest.fixture(scope="package")
def ben(hub: Checkout, known: dict[str, str]) -> Iterator[User]:
    """Who attacks."""
    user = log_in(hub, known, "ben")
    user.start("notebook")
    yield user
    user.stop()


@pytest.fixture(scope="package", params=KINDS)
def inside(request: pytest.FixtureRequest, hub: Checkout, known: dict[str, str]) -> Iterator[User]:
    """Somebody in a container of each kind, who is called like it."""
    user = log_in(hub, known, request.param)
    user.start(request.param)
    yield user
    user.stop()


@pytest.fixture
def elsewhere() -> Iterator[outside.Machine]:
    """A machine of the same network as this host."""
    with outside.machine("203.0.113.9", ["sleep", "600"]) as machine:
        yield machine


@pytest.fixture(scope="package")
def site() -> Iterator[list[list[Any]]]:
    """Servers around this host, on addresses of each kind; yields where they listen."""
    ports = (DNS, 111, NFS, DATABASE)
    with ExitStack() as stack:
        for address in (NAMED, BY_NAME, *OTHERS, PUBLIC):
            stack.enter_context(outside.machine(address, outside.listener(*ports)))
        everywhere = [[a, p] for a in (NAMED, BY_NAME, *OTHERS, PUBLIC) for p in ports]
        eventually("all listen", lambda: len(reached(everywhere)) == len(everywhere), 20)
        yield everywhere


def addresses() -> set[str]:
    """This host's own, of version 4."""
    shown = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout
    return {each for each in shown.split() if ":" not in each}
