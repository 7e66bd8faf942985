"""What is tried inside a container: sent as it is to a kernel there, so standard library only."""

from __future__ import annotations

import inspect
import json
import os
import re
import selectors
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Protocol

received: list[str] = []  # datagrams, in the kernel that listens


def status() -> dict[str, str]:
    """Of this process: who it is and what it may."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def says(*command: str) -> tuple[int, str]:
    """Exit code, and all that a command prints."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
    )
    return done.returncode, done.stdout + done.stderr


def there(*paths: str) -> list[str]:
    """Which of the paths exist."""
    return [path for path in paths if os.path.lexists(path)]


def sockets_of_the_engine() -> list[str]:
    """Sockets anywhere that look like an engine's."""
    command = ["find", "/", "-xdev", "-type", "s"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [path for path in found.splitlines() if re.search("docker|containerd|podman", path)]


def mounts() -> list[list[str]]:
    """Where, what kind, with which options, of what in its file system."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        root, where, options = left.split()[3:6]
        found.append([where, right.split()[0], options, root])
    return found


def refused_to_write(*paths: str) -> list[str]:
    """Which of the paths can't be opened for writing."""
    refused = []
    for path in paths:
        try:
            os.close(os.open(path, os.O_WRONLY))
        except OSError:
            refused.append(path)
    return refused


def devices() -> list[str]:
    """Block devices, and character devices that aren't everybody's."""
    usual = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"}
    found = []
    for path in Path("/dev").iterdir():
        is_odd = path.is_char_device() and path.name not in usual
        if not path.is_symlink() and (is_odd or path.is_block_device()):
            found.append(path.name)
    return found


def listening() -> list[list[Any]]:
    """Addresses and ports that others could reach."""
    found = []
    for file, kind in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]:
            at, state = line.split()[1], line.split()[3]
            address, port = at.split(":")
            raw = b"".join(
                bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)
            )
            shown = socket.inet_ntop(kind, raw)
            if state == "0A" and not (shown.startswith("127.") or shown == "::1"):
                found.append([shown, int(port, 16)])
    return found


def reached(targets: list[list[Any]], seconds: float = 2) -> list[list[Any]]:
    """Which addresses and ports accept a connection, all tried at once."""
    selector = selectors.DefaultSelector()
    for target in targets:
        tried = socket.socket()
        tried.setblocking(False)
        tried.connect_ex(tuple(target))
        selector.register(tried, selectors.EVENT_WRITE, target)
    found, deadline = [], time.monotonic() + seconds
    while selector.get_map() and (left := deadline - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            tried = key.fileobj
            if tried.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                found.append(key.data)
            selector.unregister(tried)
            tried.close()
    return found


def listen(*ports: int) -> str:
    """Listens on raw ports, as a VNC, an RStudio or a Dask dashboard would; returns where."""
    for port in ports:
        socket_of(port, socket.SOCK_STREAM).listen()
        datagrams = socket_of(port, socket.SOCK_DGRAM)
        threading.Thread(target=_receive, args=(datagrams,), daemon=True).start()
    return socket.gethostbyname(socket.gethostname())


_open: list[socket.socket] = []


def socket_of(port: int, kind: int) -> socket.socket:
    """A socket that stays open."""
    made = socket.socket(socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("", port))
    if kind == socket.SOCK_DGRAM:
        group = socket.inet_aton("224.0.0.251") + socket.inet_aton("0.0.0.0")
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    _open.append(made)
    return made


def _receive(datagrams: socket.socket) -> None:
    while True:
        received.append(datagrams.recv(100).decode())


def got() -> list[str]:
    """Datagrams that came."""
    return received


def send(word: str, *targets: list[Any]) -> None:
    """Sends a datagram to each address and port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for target in targets:
            sender.sendto(word.encode(), tuple(target))


def echoes(address: str) -> bool:
    """Whether an address answers a ping, sent without any privilege."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as pinged:
        pinged.settimeout(1)
        pinged.sendto(b"\x08\x00\x00\x00\x00\x00\x00\x01", (address, 0))
        try:
            return bool(pinged.recv(100))
        except OSError:
            return False


def raw_sockets() -> list[str]:
    """Sockets by which one could speak for somebody else."""
    made = []
    for name, family, protocol in (
        ("packets", socket.AF_PACKET, 0x0300),
        ("addresses", socket.AF_INET, socket.IPPROTO_RAW),
    ):
        try:
            socket.socket(family, socket.SOCK_RAW, protocol).close()
            made.append(name)
        except OSError:
            pass
    return made


def environment() -> dict[str, str]:
    """All that a notebook finds in its environment, and in that of the server around it."""
    mine = os.environ.items()
    server = Path("/proc/1/environ").read_text().split("\0")
    return dict(mine) | dict(each.split("=", 1) for each in server if each)


def answer(path: str, token: str) -> int:
    """What the hub's API says to somebody with this token: the answer's number."""
    url = f"{os.environ['JUPYTERHUB_API_URL']}/{path}"
    asked = urllib.request.Request(url, headers={"Authorization": f"token {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=10) as found:
            return int(found.status)
    except urllib.error.HTTPError as error:
        return error.code


class Runs(Protocol):
    """A user, who gets a new kernel for it, or a kernel."""

    def run(self, code: str) -> str: ...


def script(probe: Any, *arguments: Any) -> str:
    """A program that prints what a probe of this file returns."""
    source = inspect.getsource(sys.modules[__name__])
    told = json.dumps(json.dumps(arguments))
    return f"{source}\nprint(json.dumps({probe.__name__}(*json.loads({told}))))"


def ask(who: Runs, probe: Any, *arguments: Any) -> Any:
    """What a probe of this file returns where somebody is."""
    printed = who.run(script(probe, *arguments))
    try:
        return json.loads(printed)
    except json.JSONDecodeError:
        raise AssertionError(f"{probe.__name__}: {printed}") from None
