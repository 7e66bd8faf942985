"""Debian packages that only the tests need."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import paths, python_env
from .steps import apt_install, is_root, run, step

PROGRAMS = {
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "/usr/sbin/sshd": "openssh-server",
    "ip": "iproute2",
    "ssh": "openssh-client",
}


def ensure() -> None:
    """Installs a browser and an ssh server; without root their tests are skipped, and say so."""
    absent = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    with step("Packages for the tests") as current:
        if not absent:
            current.result = "already there"
        elif is_root():
            apt_install(*absent)
            current.result = "installed"
        else:
            current.result = f"missing: sudo apt-get install -y {' '.join(absent)}"


def ensure_kubernetes() -> None:
    """Builds Kubernetes before anything is timed: it takes all of a machine for ten minutes."""
    with step("Kubernetes for the tests"):
        words: list[str | Path] = [python_env.PYTHON, "-m", "tests.servers.kubernetes"]
        run(words, "Kubernetes", cwd=paths.ROOT)
