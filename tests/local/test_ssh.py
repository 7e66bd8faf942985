"""The same hub on an engine behind ssh: a real sshd, here on the loopback interface."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.checkout import ENGINE, Checkout, Program, changed_nothing, running
from tests.client import eventually
from tests.local.conftest import NOTEBOOK, student

PORT = 8397
SSHD = "/usr/sbin/sshd"


@pytest.fixture
def ssh_options(tmp_path: Path) -> Iterator[list[str]]:
    """An sshd that takes one key, and the options to reach it."""
    if not Path(SSHD).exists():
        pytest.skip("Debian's package openssh-server is missing")
    key, host_key = tmp_path / "key", tmp_path / "host_key"
    for file in (key, host_key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    authorized = tmp_path / "authorized_keys"
    shutil.copy(f"{key}.pub", authorized)
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own condition
    settings = {
        "Port": PORT,
        "ListenAddress": "127.0.0.1",
        "HostKey": host_key,
        "AuthorizedKeysFile": authorized,
        "PasswordAuthentication": "no",
        "StrictModes": "no",  # the temporary folder is below a world-writable one
        "MaxSessions": 100,
        "MaxStartups": "100:30:200",
        "PidFile": tmp_path / "pid",
    }
    options = [word for k, v in settings.items() for word in ("-o", f"{k}={v}")]
    server = subprocess.Popen([SSHD, "-D", "-f", "/dev/null", *options])
    known = tmp_path / "known_hosts"
    yield [
        *("-i", str(key), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"),
        *("-o", f"UserKnownHostsFile={known}"),
    ]
    server.terminate()
    server.wait()


def test_a_hub_over_ssh(tmp_path: Path, ssh_options: list[str]) -> None:
    config = {
        "docker": {"host": f"ssh://root@127.0.0.1:{PORT}", "ssh_options": ssh_options},
        "hub": {"images": [{"title": "Python", "source": NOTEBOOK}]},
    }
    try:
        with running(tmp_path / "hub", "tssh", 8, config) as hub:
            eventually("the hub", lambda: requests.get(f"{hub.url}/hub/health", timeout=5).ok)
            anna = student(hub, "anna")
            anna.start()
            assert anna.run("print(6 * 7)") == "42"
            assert changed_nothing(hub.make("up"))
            _ends_clean(hub)
    finally:
        for volume in ENGINE.volumes.list(filters={"name": "jupyterhub-tssh-"}):
            volume.remove()


def _ends_clean(hub: Checkout) -> None:
    """Here nothing is done by `make` itself: the guard alone stops the users' servers."""
    hub.make("down")
    assert hub.containers() == []


PARALLEL = """
import pulumi_docker as docker
from components import DockerHost, DockerHostArgs

host = DockerHost.connect(
    "tparallel", DockerHostArgs(host="ssh://root@127.0.0.1:{port}", ssh_options={options!r})
)
for number in range(30):
    docker.Container(
        f"c{{number}}",
        image="debian:bookworm-slim",
        command=["sleep", "600"],
        destroy_grace_seconds=0,
        opts=host.options(None),
    )
"""


def test_thirty_at_once_over_ssh(tmp_path: Path, ssh_options: list[str]) -> None:
    text = PARALLEL.format(port=PORT, options=ssh_options)
    with Program(tmp_path, "parallel", text).up("--parallel", "30") as printed:
        assert "+ 32 created" in printed
