"""What students handed in, as one archive for the teacher: `/hub/collect`.

Only one folder of each home, named in the stack file, so that everybody knows what is seen.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from jupyterhub import orm
from jupyterhub.handlers import BaseHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from . import names, pools

LIMIT = 2 * 1024**3  # bytes of all files together
_CHUNK = 1024**2


class TooMuch(Exception):
    """More than one archive can hold."""


def pack(homes: Path, folder: str, people: Iterable[str], target: IO[bytes], limit: int) -> int:
    """Writes everybody's files of that folder into a zip archive; how many files.

    Users own what is read, and the hub is root: no symlink is followed, nothing but regular files
    is opened.
    """
    count, size = 0, 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(people):
            for path, opened in _files(homes / names.escaped(name), folder):
                size += os.fstat(opened.fileno()).st_size
                if size > limit:
                    raise TooMuch
                with archive.open(f"{name}/{path}", "w") as entry:
                    shutil.copyfileobj(opened, entry, _CHUNK)
                count += 1
    return count


def _files(home: Path, folder: str) -> Iterator[tuple[str, IO[bytes]]]:
    with suppress(OSError), _folder(str(home)) as top, _folder(folder, top) as start:
        for path, _, found, here in os.fwalk(".", dir_fd=start, follow_symlinks=False):
            for name in sorted(found):
                with suppress(OSError), _regular(name, here) as opened:
                    yield os.path.normpath(os.path.join(path, name)), opened


@contextmanager
def _folder(path: str, inside: int | None = None) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    opened = os.open(path, flags, dir_fd=inside)
    try:
        yield opened
    finally:
        os.close(opened)


@contextmanager
def _regular(name: str, inside: int) -> Iterator[IO[bytes]]:
    number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=inside)
    with os.fdopen(number, "rb") as opened:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(f"{name} is no file")
        yield opened


class CollectPage(BaseHandler):
    """The archive."""

    def initialize(self, homes: Path, folder: str) -> None:
        """Where to look."""
        super().initialize()
        self._homes, self._folder = homes, folder

    @needs_scope("admin:users")  # type: ignore[misc]
    async def get(self) -> None:
        """Packs it aside, then sends it."""
        people = [user.name for user in self.db.query(orm.User)]
        with tempfile.TemporaryFile() as file:
            work = partial(pack, self._homes, self._folder, people, file, LIMIT)
            try:
                count = await pools.run(pools.FILES, work)
            except TooMuch:
                raise web.HTTPError(
                    413, f"More than {LIMIT // 1024**3} GiB were handed in: take them by hand."
                ) from None
            self.log.info("%s collected %d files", self.current_user.name, count)
            self.set_header("Content-Type", "application/zip")
            self.set_header("Content-Disposition", f'attachment; filename="{self._folder}.zip"')
            file.seek(0)
            while chunk := file.read(_CHUNK):
                self.write(chunk)
                await self.flush()


def handlers(homes: Path, folder: str) -> list[tuple[str, Any, dict[str, Any]]]:
    """The page's handler, below /hub."""
    return [(r"/collect", CollectPage, {"homes": homes, "folder": folder})]
