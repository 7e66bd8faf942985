"""The Docker engine of this machine: found, installed or started."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from . import paths
from .engine import Engine
from .steps import Problem, apt_install, is_root, run, step

DAEMON_JSON = Path("/etc/docker/daemon.json")
LOG = Path("/var/log/dockerd.log")
NEEDED_DISK = 6  # GB, for building all images; little once that was done


def ensure(engine: Engine) -> None:
    """Makes sure that an engine answers."""
    with step("Docker engine") as current:
        if version := engine.version():
            current.result = f"{version}, already running"
        else:
            _why_not(engine)
            if not shutil.which("dockerd"):
                current.result = _install()
            else:
                current.result = "started"
            start(engine)
            current.result += f", {engine.version()}"
    _check_disk(engine)


def _why_not(engine: Engine) -> None:
    """Stops where this user can't help it, with what to do."""
    if engine.socket.exists() and not os.access(engine.socket, os.R_OK | os.W_OK):
        raise Problem(
            f"Docker is here, but {getpass.getuser()} may not use it. Run this once, log out and "
            f"in again, then run make again:\n  sudo usermod -aG docker {getpass.getuser()}"
        )
    if str(engine.socket) not in ("/var/run/docker.sock", "/run/docker.sock"):
        raise Problem(f"No Docker engine answers at {engine.socket}. Start it, or change the host.")
    if not is_root():
        command = (
            "systemctl start docker" if shutil.which("dockerd") else "apt-get install -y docker.io"
        )
        raise Problem(
            f"No Docker engine is running. As root, then run make again:\n  sudo {command}"
        )


def _install() -> str:
    _write_settings()
    script = paths.cache() / "get-docker.sh"
    try:
        with urllib.request.urlopen("https://get.docker.com", timeout=10) as answer:
            script.write_bytes(answer.read())
        run(["sh", script], "installing Docker")
        return "installed, the vendor's"
    except (urllib.error.URLError, OSError, Problem):
        apt_install("docker.io", "iptables")
        return "installed from Debian's packages"


def _write_settings() -> None:
    """Settings that a hub needs, where nobody has set any."""
    if DAEMON_JSON.exists():
        return
    settings = {
        "live-restore": True,  # containers go on while the engine restarts
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        "mtu": uplink_mtu(),  # with a larger one TLS hangs inside builds
    }
    DAEMON_JSON.parent.mkdir(exist_ok=True)
    DAEMON_JSON.write_text(json.dumps(settings, indent=2) + "\n")


def uplink_mtu() -> int:
    """The MTU of the interface that the default route leaves by."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/net/route").read_text().splitlines()[1:]:
            interface, destination = line.split()[:2]
            if destination == "00000000":
                return int(Path(f"/sys/class/net/{interface}/mtu").read_text())
    return 1500


def start(engine: Engine) -> None:
    """Starts the engine: by systemd, or by hand where there is none."""
    if Path("/run/systemd/system").is_dir():
        run(["systemctl", "start", "docker"], "systemctl start docker")
    elif not engine.version():
        Path("/var/run/docker.pid").unlink(missing_ok=True)  # of an engine that was killed
        with LOG.open("ab") as log:  # nobody's child: no one has to be there when it ends
            subprocess.run(
                ["setsid", "--fork", "dockerd"],
                cwd="/",
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                check=True,
            )
    deadline = time.monotonic() + 90
    while not engine.version():
        if time.monotonic() > deadline:
            tail = "\n".join(LOG.read_text(errors="replace").splitlines()[-12:])
            raise Problem(f"The Docker engine doesn't start. The last lines of {LOG}:\n{tail}")
        time.sleep(0.3)


def _check_disk(engine: Engine) -> None:
    root = Path(engine.call("GET", "/info")["DockerRootDir"])
    with contextlib.suppress(OSError):  # only root may look there
        free = shutil.disk_usage(root).free / 1e9
        needed = 1 if engine.has_image_of(f"{paths.NAME}/") else NEEDED_DISK
        if free < needed:
            raise Problem(
                f"{free:.1f} GB are free at {root}; images need {needed} GB. "
                "Make room, for instance with: docker image prune"
            )
