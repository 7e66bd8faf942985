"""Debian packages that only the tests need."""

from __future__ import annotations

import shutil

from .steps import apt_install, is_root, step

PROGRAMS = {"chromium": "chromium", "chromedriver": "chromium-driver"}


def ensure() -> None:
    """Installs a browser for the tests; without root its tests are skipped, and say so."""
    absent = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    with step("Browser for the tests") as current:
        if not absent:
            current.result = "already there"
        elif is_root():
            apt_install(*absent)
            current.result = "installed"
        else:
            current.result = f"missing: sudo apt-get install -y {' '.join(absent)}"
