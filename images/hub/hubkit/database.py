"""The hub's database: copied before a changed JupyterHub opens it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import jupyterhub

from . import __version__

KEPT = 5


class DatabaseTooNew(Exception):
    """The database was written by a newer JupyterHub. Its text says what to do."""


def prepare(state: Path) -> None:
    """Copies the database when the version that opens it changed; refuses one from the future."""
    database, stamp = state / "jupyterhub.sqlite", state / "version"
    now = f"{jupyterhub.__version__} {__version__}"
    before = stamp.read_text().strip() if stamp.exists() else ""
    if before and _major(before) > _major(now):
        raise DatabaseTooNew(
            f"The database was last used by JupyterHub {before.split()[0]}; this is "
            f"{jupyterhub.__version__}, which can't read it. Go back to the newer hub image, or "
            f"restore a copy from {state / 'backups'}: cp backups/<copy> jupyterhub.sqlite, "
            "then remove the file `version`."
        )
    if database.exists() and before != now:
        _copy(database, state / "backups", before.replace(" ", "-") or "unknown")
    stamp.write_text(now)


def _major(version: str) -> int:
    return int(version.split(".")[0])


def _copy(database: Path, folder: Path, version: str) -> None:
    folder.mkdir(exist_ok=True)
    target = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{version}.sqlite"
    with sqlite3.connect(database) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    target.chmod(0o600)
    for old in sorted(folder.glob("*.sqlite"))[:-KEPT]:
        old.unlink()
