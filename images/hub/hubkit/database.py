"""The hub's database: quick where it is SQLite, and copied before a changed JupyterHub opens it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import jupyterhub
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from . import __version__
from .settings import Secrets

KEPT = 5
PATIENCE = 20_000  # milliseconds that one waits for another's change: a command's, or the hub's
# File systems of other machines: SQLite's log ahead is partly shared memory (sqlite.org/wal.html).
_REMOTE = ("nfs", "cifs", "smb", "ceph", "lustre", "9p", "afs", "gpfs", "beegfs", "fuse")
# Changes that were written ahead belong to the database of before.
_RESTORE = (
    "in the volume `state`, rm -f jupyterhub.sqlite-*; cp backups/<copy> jupyterhub.sqlite; rm "
    "version"
)


class DatabaseTooNew(Exception):
    """The database was written by a newer JupyterHub. Its text says what to do."""


def url(state: Path, secrets: Secrets) -> str:
    """The database's address: the stack's own, or a file on the state volume."""
    given = secrets.database_url
    return given.get_secret_value() if given else own_file(state)


def own_file(state: Path) -> str:
    """Address of the file on the state volume."""
    return f"sqlite:///{state}/jupyterhub.sqlite"


def session(url: str) -> Session:
    """For commands, beside the hub that runs."""
    tune()
    made: Session = sessionmaker(bind=create_engine(url))()
    return made


def prepare(state: Path) -> None:
    """Copies the database when the version that opens it changed; refuses one from the future."""
    database, stamp = state / "jupyterhub.sqlite", state / "version"
    _require_known(database)
    now = f"{jupyterhub.__version__} {__version__}"
    before = stamp.read_text().strip() if stamp.exists() else ""
    if before and _major(before) > _major(now):
        raise DatabaseTooNew(
            f"The database was last used by JupyterHub {before.split()[0]}; this is "
            f"{jupyterhub.__version__}, which can't read it. Go back to the newer hub image, or "
            f"restore a copy: {_RESTORE}"
        )
    if database.exists() and before != now:
        _copy(database, state / "backups", before.replace(" ", "-") or "unknown")
    stamp.write_text(now)


def tune() -> None:
    """SQLite writes ahead, and waits for the disk only once in many changes.

    The start of a server is 13 changes, and each would hold up everybody for a disk's answer. A
    power cut takes the last changes with it; a hub that is killed loses nothing. Any other
    database stays as it is.
    """
    if not event.contains(Engine, "connect", _tune):
        event.listen(Engine, "connect", _tune)


def _tune(connection: Any, _: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.execute(f"PRAGMA busy_timeout={PATIENCE}")
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    if file and not _is_remote(Path(file).parent):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")


def _is_remote(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError):
        for line in mounts.read_text().splitlines():
            mount, _, file_system = line.partition(" - ")
            if mount.split()[2] == wanted:
                return file_system.startswith(_REMOTE)
    return False


def _require_known(database: Path) -> None:
    """Another minor release may have changed the tables, too."""
    if not database.exists():
        return
    scripts = Path(jupyterhub.__file__).parent / "alembic" / "versions"
    known = {script.name.partition("_")[0] for script in scripts.glob("*.py")}
    with contextlib.closing(sqlite3.connect(database)) as opened:
        try:
            found = opened.execute("select version_num from alembic_version").fetchone()
        except sqlite3.OperationalError:  # older than such numbers, or new
            return
    if found and found[0] not in known:
        raise DatabaseTooNew(
            f"The database has tables of another JupyterHub (revision {found[0]}), which "
            f"{jupyterhub.__version__} doesn't know. Go back to the newer hub image, or restore a "
            f"copy: {_RESTORE}"
        )


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
