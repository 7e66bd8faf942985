"""One test restarts the Docker engine: nobody else uses it meanwhile."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = Path(tempfile.gettempdir())


@contextmanager
def in_use() -> Iterator[None]:
    """The engine stays up."""
    with _held(fcntl.LOCK_SH):
        yield


@contextmanager
def alone() -> Iterator[None]:
    """Nobody uses the engine."""
    with _held(fcntl.LOCK_EX):
        yield


@contextmanager
def _held(how: int) -> Iterator[None]:
    with (_FOLDER / "pulumi-jupyterhub-tests.engine").open("w") as engine:
        with (_FOLDER / "pulumi-jupyterhub-tests.turn").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # who waits has the next turn
            fcntl.flock(engine, how)
        yield
