"""The Python environment of the checkout."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from . import paths
from .steps import Problem, apt_install, run, step

PYTHON = paths.VENV / "bin" / "python"


def ensure(developer: bool = False) -> None:
    """Makes `.venv` with what requirements.txt says, or leaves it when nothing changed."""
    files = ["requirements.txt"] + (["requirements-dev.txt"] if developer else [])
    wanted = _digest(files)
    stamp = paths.VENV / f".{files[-1]}.stamp"
    with step("Python packages") as current:
        if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
            current.result = "already there"
            return
        if sys.version_info < (3, 11):
            raise Problem("Python 3.11 or newer is needed (Debian 12 and Ubuntu 24.04 have it).")
        if not (paths.VENV / "bin" / "pip").exists():  # the last that a new one gets
            _make_venv()
        command: list[str | Path] = [
            PYTHON,
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
        ]
        for name in files:
            command += ["-r", name]
        run(command, "pip install", cwd=paths.ROOT)
        stamp.write_text(wanted)
        current.result = f"installed into {paths.VENV.name}"


def _make_venv() -> None:
    try:
        import ensurepip  # noqa: F401  # missing where python3-venv is
    except ImportError:
        apt_install("python3-venv")
    run([sys.executable, "-m", "venv", "--clear", paths.VENV], "python3 -m venv")


def _digest(names: list[str]) -> str:
    place = str(paths.VENV.resolve())  # a checkout that was moved gets its packages anew
    text = place + sys.version + "".join((paths.ROOT / name).read_text() for name in names)
    return hashlib.sha256(text.encode()).hexdigest()
