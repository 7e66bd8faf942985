"""A machine within this one: processes, network, /run and a Docker engine of its own, and a meter.

What stands in a namespace of its own can't touch this machine's engine, its bridges and rules, and
ends as a whole. It needs root, and cgroups of version 1 to count what every process used.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.client import eventually
from toolchain.setup.docker_engine import uplink_mtu
from toolchain.setup.engine import SOCKET, Engine

NAME = "tbench"
HERE, THERE, NETWORK = "10.239.255.1", "10.239.255.2", "10.239.255.0/30"
_CPU = Path("/sys/fs/cgroup/cpuacct") / NAME
_RULES = (
    ("nat", "POSTROUTING", "-s", NETWORK, "-j", "MASQUERADE"),
    ("filter", "FORWARD", "-i", NAME, "-j", "ACCEPT"),
    ("filter", "FORWARD", "-o", NAME, "-j", "ACCEPT"),
)
# Its first process: sees only what is its own, and takes in what lost its parent.
_FIRST = """
mount -t proc proc /proc && mount -t tmpfs tmpfs /run && mkdir /run/lock &&
mount --bind "$1" /var/lib/docker && ip link set lo up && touch /run/ready || exit 1
while sleep 3600; do :; done
"""


def missing() -> str | None:
    """What this machine lacks for one within it."""
    if os.geteuid():
        return "needs root"
    if not _CPU.parent.is_dir():
        return "needs cgroups of version 1"
    programs = ("unshare", "nsenter", "ip", "iptables", "dockerd")
    absent = [each for each in programs if not shutil.which(each)]
    return f"needs {', '.join(absent)}" if absent else None


class Machine:
    """A machine with nothing on its engine; `folder` holds the engine's data."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "docker"
        self._data.mkdir(parents=True)
        self._log = folder / "dockerd.log"

    def __enter__(self) -> Machine:
        _CPU.mkdir(exist_ok=True)
        Path("/var/lib/docker").mkdir(parents=True, exist_ok=True)
        words = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"]
        self._outer = subprocess.Popen([*words, "bash", "-c", _FIRST, "first", str(self._data)])
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        try:
            self._first = int(eventually("its first process", children.read_text))
            ready = Path(f"/proc/{self._first}/root/run/ready")
            eventually("its own folders", ready.exists)
            self._connect()
            self._start_engine()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._outer.pid, signal.SIGKILL)  # and with it all that is inside
        self._outer.wait()
        self._close_the_way_out()
        for group in sorted(_CPU.parent.parent.glob(f"*/{NAME}/**/"), reverse=True):
            with contextlib.suppress(OSError):  # what the engine made for containers
                group.rmdir()
        eventually("its data is nobody's", self._forgotten, 60)

    @staticmethod
    def _close_the_way_out() -> None:
        for table, chain, *rule in _RULES:
            subprocess.run(["iptables", "-w", "-t", table, "-D", chain, *rule], capture_output=True)

    def _forgotten(self) -> bool:
        shutil.rmtree(self._data, ignore_errors=True)
        return not self._data.exists()

    def _connect(self) -> None:
        """A cable from here to there, and the way out through here."""
        self._close_the_way_out()  # of a run that was killed
        inside = ["nsenter", "--target", str(self._first), "--net"]
        mtu = str(uplink_mtu())
        for words in (
            ["ip", "link", "add", NAME, "mtu", mtu, "type", "veth", "peer", "name", "uplink"],
            ["ip", "link", "set", "uplink", "mtu", mtu, "netns", str(self._first)],
            ["ip", "address", "add", f"{HERE}/30", "dev", NAME],
            ["ip", "link", "set", NAME, "up"],
            [*inside, "ip", "address", "add", f"{THERE}/30", "dev", "uplink"],
            [*inside, "ip", "link", "set", "uplink", "up"],
            [*inside, "ip", "route", "add", "default", "via", HERE],
            ["sysctl", "-qw", "net.ipv4.ip_forward=1"],
            *(["iptables", "-w", "-t", t, "-I", chain, *rule] for t, chain, *rule in _RULES),
        ):
            subprocess.run(words, check=True)

    def _start_engine(self) -> None:
        with self._log.open("wb") as log:
            words = self._inside(["dockerd", "--cgroup-parent", f"/{NAME}"])
            subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        engine = Engine(f"unix:///proc/{self._first}/root{SOCKET.replace('/var/run', '/run')}")
        eventually("its engine", engine.version)

    def _inside(self, words: Sequence[str | Path]) -> list[str]:
        """The words of a command that runs there, and is counted."""
        count = f'echo $$ >{_CPU}/cgroup.procs && exec "$@"'
        enter = ["nsenter", "--target", str(self._first), "--net", "--mount", "--pid"]
        return ["sh", "-c", count, "sh", *enter, f"--wd={Path.cwd()}", "--", *map(str, words)]

    def run(
        self, words: Sequence[str | Path], cwd: Path, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command there; nobody is there to answer it."""
        there = ["env", "-C", cwd, *words]
        return subprocess.run(
            self._inside(there),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def cpu_seconds(self) -> float:
        """What all its processes have used, the engine's, its builds' and containers' too."""
        return int((_CPU / "cpuacct.usage").read_text()) / 1e9
