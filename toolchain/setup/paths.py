"""Where things are kept: this checkout, what was built once, what must not be lost."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
NAME = "pulumi-jupyterhub"
_OWN = ("XDG_CACHE_HOME", "XDG_DATA_HOME")


def cache() -> Path:
    """Tools that were downloaded or built; can be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return _made(Path(base) / NAME)


def data() -> Path:
    """State and passphrase: outside the checkout, so that `git clean` doesn't take them."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return _made(Path(base) / NAME)


def is_in_home(place: str) -> bool:
    """Whether a path is one of those that are kept in the user's home."""
    folders = (Path.home(), *(Path(f) for n in _OWN if (f := os.environ.get(n))))
    return any(Path(place).is_relative_to(folder) for folder in folders)


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
