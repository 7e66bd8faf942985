"""A hub as on a Docker engine, whose engine is a stand-in: how tests and the load bench run one."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from hubkit.login.passwords import first_password

from tests.unit.test_settings_document import document

ROOT = Path(__file__).parents[2]
HUBKIT = ROOT / "images/hub"
CONFIG = "tests/servers/a_docker_hub.py"
TOKEN = "the-token-of-this-hub-" + "0" * 20
KEY = "ef" * 32  # of first passwords
SECRETS = {"cookie_secret": "ab" * 32, "crypt_key": "cd" * 32, "roster_key": KEY}
TEACHER = "teacher"


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def password(name: str) -> str:
    """Somebody's first one."""
    return first_password(KEY, name, 0)


class DockerHub:
    """The hub that runs."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url, self._process, self._log = url, process, log

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Its API, with all rights."""
        headers = {"Authorization": f"token {TOKEN}"}
        url = f"{self.url}/hub/api{path}"
        return requests.request(method, url, headers=headers, timeout=120, **more)

    def stall(self, block: float = 0) -> float:
        """Seconds that its loop stood still at most, since somebody asked before."""
        return float(self.look(block)["longest"])

    def look(self, block: float = 0) -> dict[str, Any]:
        """That, how many hashes it made, its memory, and the threads that asked the engine."""
        answer = requests.get(f"{self.url}/hub/test/stall?for={block}", timeout=60)
        return dict(answer.json())

    def end(self, name: str, is_heard: bool) -> None:
        """Ends somebody's server, as its program does when it fails."""
        requests.get(f"{self.url}/hub/test/end?name={name}&heard={is_heard}", timeout=60)

    def is_up(self) -> bool:
        """Whether it answers; an error where it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(self._log.read_text()[-4000:])
        with contextlib.suppress(requests.ConnectionError):
            return self.ask("GET", "/").ok
        return False


def settings(people: list[str], **engine: Any) -> dict[str, Any]:
    """For a class of these names."""
    told: Any = document("local.happy.minimal.yaml")
    told["login"] |= {"kind": "roster", "admins": [TEACHER], "users": people}
    me = f"{os.getuid()}:{os.getgid()}"
    limits = {"memory_guarantee": 0, "cpu_guarantee": 0}
    told["images"] = [each | {"user": me} for each in told["images"]]
    for each in told["images"]:
        each["limits"] |= limits
    told["engine"] |= engine
    return dict(told)


@contextlib.contextmanager
def running(
    folder: Path, told: dict[str, Any], hubkit: Path = HUBKIT, **more: Any
) -> Iterator[DockerHub]:
    """A hub of this build with these settings."""
    for name in ("homes", "shared", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    port = free_port()
    told["engine"]["hub"] = {"address": "127.0.0.1", "port": port}
    everything = {"folder": str(folder), "settings": told, "secrets": SECRETS, "token": TOKEN}
    environment = {
        **os.environ,
        "TEST_TOLD": json.dumps(everything | more),
        "PYTHONPATH": f"{hubkit}:{ROOT}",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(ROOT / CONFIG)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    made = DockerHub(f"http://127.0.0.1:{port}", process, folder / "log")
    try:
        wait_for(made.is_up, folder / "log")
        yield made
    finally:
        process.terminate()
        process.wait(30)


def wait_for(is_so: Any, log: Path, seconds: float = 60) -> None:
    """TimeoutError with the log's end where it never is so."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(log.read_text()[-4000:])
        time.sleep(0.1)


@contextlib.contextmanager
def notebooks(count: int) -> Iterator[None]:
    """Something that answers where the stand-in's containers are."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.notebooks", str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the servers' stand-in did not start")
        yield
    finally:
        process.terminate()
        process.wait(10)
