"""A machine beyond this one, as containers see the internet: a network namespace behind a cable."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_LISTEN = """
import signal, socket, sys
opened = [socket.create_server(("", int(port)), backlog=100) for port in sys.argv[1:]]
signal.pause()
"""


def listener(*ports: int) -> list[str | Path]:
    """A command that takes connections at these ports, and says nothing."""
    return [sys.executable, "-c", _LISTEN, *map(str, ports)]


@dataclass(frozen=True)
class Machine:
    """A machine that is up."""

    address: str
    router: str  # this host's address, as it knows it
    _namespace: str

    def run(self, code: str) -> str:
        """What a Python program prints there."""
        command = ["ip", "netns", "exec", self._namespace, sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def machine(address: str, command: list[str | Path]) -> Iterator[Machine]:
    """Runs a command on a machine of this address; both are gone afterwards."""
    mark = f"{zlib.crc32(address.encode()) % 10_000:04}"
    name, here, there = f"jh-out{mark}", f"jh-a{mark}", f"jh-b{mark}"
    router = address.rsplit(".", 1)[0] + ".1"
    setup = f"""
        ip netns add {name}
        ip link add {here} type veth peer name {there} netns {name}
        ip addr add {router}/24 dev {here}
        ip link set {here} up
        ip -n {name} addr add {address}/24 dev {there}
        ip -n {name} link set {there} up
        ip -n {name} link set lo up
        ip -n {name} route add default via {router}
    """
    if subprocess.run(["sh", "-ec", setup], check=False).returncode:
        subprocess.run(["ip", "netns", "del", name], check=False)
        pytest.skip("needs root, to make a network namespace for a machine beyond this one")
    server = subprocess.Popen(["ip", "netns", "exec", name, *command])
    try:
        yield Machine(address, router, name)
    finally:
        server.terminate()
        server.wait()
        subprocess.run(["ip", "netns", "del", name], check=True)
