"""Where things are kept: this checkout, what was built once, what must not be lost."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
NAME = "pulumi-jupyterhub"


def cache() -> Path:
    """Tools that were downloaded or built; can be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return _made(Path(base) / NAME)


def data() -> Path:
    """State and passphrase: outside the checkout, so that `git clean` doesn't take them."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return _made(Path(base) / NAME)


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
