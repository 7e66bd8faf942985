"""Whom a user's container reaches, and who reaches it."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.checkout import ENGINE, Checkout
from tests.client import Kernel, User, eventually
from tests.local.isolation import probes
from tests.local.isolation.conftest import (
    BY_NAME,
    DATABASE,
    DNS,
    HTTPS_PORT,
    NAMED,
    NFS,
    OTHERS,
    PUBLIC,
    addresses,
    log_in,
)
from tests.local.isolation.probes import ask, script
from tests.servers import outside

METADATA = "169.254.169.254"
VNC, DASK, RSTUDIO = 5901, 8786, 8787
RAW = (VNC, DASK, RSTUDIO)


@pytest.fixture(scope="module")
def victim(anna: User) -> Iterator[Kernel]:
    """A kernel that listens, as programs do that ask nobody for a password."""
    with anna.kernel() as kernel:
        yield kernel


@pytest.fixture(scope="module")
def address(victim: Kernel) -> str:
    """Where it listens."""
    return str(ask(victim, probes.listen, *RAW))


def test_no_port_of_another_container_can_be_reached(
    victim: Kernel, address: str, anna: User, ben: User
) -> None:
    ports = [*RAW, 8888]
    assert len(probes.reached([[address, port] for port in ports])) == len(ports)  # they listen
    # By its address, by its name, and by way of the host.
    by_name = socket_name(ben, anna)
    targets = [[each, port] for each in {address, by_name} for port in ports]
    assert ask(ben, probes.reached, targets) == []
    assert ask(ben, probes.echoes, "127.0.0.1") is True
    assert ask(ben, probes.echoes, address) is False


def socket_name(who: User, whom: User) -> str:
    """The address by which one container knows another."""
    name = f"jupyterhub-tiso-user-{whom.name}"
    return who.run(f"import socket; print(socket.gethostbyname({name!r}))")


def test_no_datagram_comes_to_another_container(
    hub: Checkout, victim: Kernel, address: str, ben: User
) -> None:
    all_of_them = str(ipaddress.ip_network(hub.subnet).broadcast_address)
    everywhere = [address, "224.0.0.251", "255.255.255.255", all_of_them]
    ask(ben, probes.send, "from ben", *([each, VNC] for each in everywhere))
    probes.send("from the host", [address, VNC])
    eventually("it listens", lambda: "from the host" in victim.run("print(received)"), 5)
    assert "from ben" not in victim.run("print(received)")


def test_nobody_speaks_for_somebody_else(ben: User) -> None:
    """Raw packets could poison what others take for the gateway; a second protocol has no rules."""
    assert ask(ben, probes.raw_sockets) == []
    assert ask(ben, probes.says, "grep", "-cv", " lo$", "/proc/net/if_inet6")[1].strip() in (
        "0",
        "",
    )


@pytest.fixture
def server() -> Iterator[int]:
    """Something else on this host that anybody may ask."""
    with socket.create_server(("0.0.0.0", 0), backlog=100) as made:
        yield made.getsockname()[1]


def test_of_the_hosts_ports_only_the_hubs_is_open(
    hub: Checkout, victim: Kernel, ben: User, server: int
) -> None:
    shown = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    ports = {int(line.split()[3].rsplit(":", 1)[1]) for line in shown.splitlines()}
    api = hub.port + 100
    assert {server, api, hub.port, HTTPS_PORT, 8081} <= ports
    # Besides what listens: other people's ports, and the engine's, by way of the host.
    targets = [[a, p] for a in addresses() for p in {*ports, *RAW, 2375, 2376}]
    assert ask(ben, probes.reached, targets) == [[hub.gateway, 8081]]


def test_cloud_metadata_is_out_of_reach(ben: User, tmp_path: Path) -> None:
    """A fake of the clouds' service, on a network beyond this host as in a cloud."""
    serve = [sys.executable, "-m", "http.server", "80", "--bind", METADATA]
    url, target = f"http://{METADATA}/", [[METADATA, 80]]
    with outside.machine(METADATA, [*serve, "--directory", tmp_path]):
        eventually("the host itself reaches it", lambda: requests.get(url, timeout=3).ok, 20)
        # A container on Docker's usual network reaches it, so the way there is open.
        image = ask(ben, probes.environment)["JUPYTER_IMAGE_SPEC"]
        program = ["python3", "-c", script(probes.reached, target)]
        assert METADATA in ENGINE.containers.run(image, program, remove=True).decode()
        assert ask(ben, probes.reached, target) == []


def test_private_addresses_are_closed_but_for_what_is_named(
    ben: User, site: list[list[Any]]
) -> None:
    """The mounts' server among them; NFS is closed on the internet, too."""
    site = [each for each in site if each[0] != BY_NAME]  # of which the next test is
    # A container on Docker's usual network reaches all, so the ways there are open.
    image = ask(ben, probes.environment)["JUPYTER_IMAGE_SPEC"]
    program = ["python3", "-c", script(probes.reached, site)]
    printed = ENGINE.containers.run(image, program, remove=True)
    assert sorted(json.loads(printed)) == sorted(site)
    ping = ["python3", "-c", script(probes.echoes, OTHERS[0])]
    assert json.loads(ENGINE.containers.run(image, ping, remove=True)) is True
    assert ask(ben, probes.echoes, OTHERS[0]) is False
    names = [[address, port] for address, port in site if port == DNS]
    internet = [[address, port] for address, port in site if address == PUBLIC and port != NFS]
    opened = [[NAMED, DATABASE], *names, *(each for each in internet if each not in names)]
    assert sorted(ask(ben, probes.reached, site)) == sorted(opened)


def test_what_is_named_by_name_is_open_once_the_name_is_found(
    hub: Checkout, ben: User, site: list[list[Any]]
) -> None:
    database = [[BY_NAME, DATABASE]]
    assert ask(ben, probes.reached, database) == []
    known = f"echo {BY_NAME} db.class.test >>/etc/hosts"
    assert hub.container("guard").exec_run(["sh", "-c", known]).exit_code == 0
    eventually("it is open", lambda: ask(ben, probes.reached, database) == database, 20)
    # Rules that somebody took away come back with it, and the way stays the only one.
    table = "jh_" + hashlib.sha256(f"{hub.deployment}-users".encode()).hexdigest()[:8]
    deleted = ["nft", "delete", "table", "inet", table]
    assert hub.container("guard").exec_run(deleted).exit_code == 0
    others = [[address, NFS] for address in (NAMED, BY_NAME, *OTHERS)]
    eventually(
        "it is closed again, but for the name",
        lambda: ask(ben, probes.reached, [*others, *database]) == database,
        20,
    )


def test_who_is_on_the_hosts_network_reaches_the_edge_only(
    hub: Checkout, victim: Kernel, address: str, elsewhere: outside.Machine
) -> None:
    """Routes to the users' network can be had by anybody: it is this host that must refuse."""
    edge = [[elsewhere.router, hub.port], [elsewhere.router, HTTPS_PORT]]
    inner = [[hub.gateway, 8081], [address, 8888], *([address, port] for port in RAW)]
    api = [[each, hub.port + 100] for each in (elsewhere.router, hub.gateway)]
    found = elsewhere.run(script(probes.reached, [*edge, *inner, *api]))
    assert sorted(json.loads(found)) == sorted(edge)


def test_no_server_starts_while_the_network_is_open(hub: Checkout, known: dict[str, str]) -> None:
    table = "jh_" + hashlib.sha256(f"{hub.deployment}-users".encode()).hexdigest()[:8]
    container, guard = hub.container("hub"), hub.container("guard")
    late = log_in(hub, known, "late")
    guard.pause()
    try:
        assert container.exec_run(["nft", "delete", "table", "inet", table]).exit_code == 0
        late.session.get(f"{late.url}/hub/spawn")
        form = {"image": "notebook", "_xsrf": late._xsrf("/hub/")}
        page = late.session.post(f"{late.url}/hub/spawn", data=form).text
        assert "The network that keeps users apart is not closed" in page
        assert not hub.has_server("late")
    finally:
        guard.unpause()
    closed = ["nft", "list", "table", "inet", table]
    eventually("the guard closes it again", lambda: container.exec_run(closed).exit_code == 0, 20)
    late.start("notebook")
    late.stop()
