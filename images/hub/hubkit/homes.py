"""Users' folders on the data volumes: made with the right owner, never through a symlink."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


class UnsafeFolder(Exception):
    """A user's folder is something else than a folder. Its text says what."""


def ensure(parent: Path, name: str, owner: tuple[int, int], mode: int) -> None:
    """Makes `parent/name` for this owner, or mends owner and mode of the folder itself.

    What is inside is the user's and isn't touched (no recursive chown). All is done on an open
    folder, so that a symlink put there meanwhile leads nowhere.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(parent / name, mode)
    try:
        folder = os.open(parent / name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        raise UnsafeFolder(f"{parent / name} is not a folder; its files were not touched") from None
    try:
        now = os.fstat(folder)
        if (now.st_uid, now.st_gid) != owner:
            os.chown(folder, *owner)
        if stat.S_IMODE(now.st_mode) != mode:
            os.chmod(folder, mode)
    finally:
        os.close(folder)
