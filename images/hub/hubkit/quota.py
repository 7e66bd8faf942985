"""How much of the data disk each user may fill, by XFS's project quotas.

Everybody's files have one owner, so a quota of owners can't tell users apart. XFS also counts and
limits by a number (project id) that a folder carries, and that whatever is made in it inherits. The
calls are those that Docker's own quotas make: an ioctl sets the number, quotactl the limit.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import logging
import os
import stat
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import kept

TABLE = Path("/srv/state/quota.json")  # who has which number
FIRST = 1 << 20  # smaller numbers are other programs' (Docker counts from 1)
UNCOUNTED = 0
FILE = 4096  # bytes; a file for each of these: empty ones fill a disk, too
AGAIN = 3600.0  # seconds between two looks at all files of a folder
DEEPEST = 200  # folders in folders that are looked at

# linux/fs.h
_GET_MARK, _SET_MARK = 0x801C581F, 0x401C5820  # FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR
_MARK = struct.Struct("=5I8x")  # flags, extent size, extents, project id, extent size of copies
_INHERITED = 0x200  # FS_XFLAG_PROJINHERIT
# linux/quota.h, linux/dqblk_xfs.h
_GET_LIMIT, _SET_LIMIT = 0x580302, 0x580402  # Q_XGETQUOTA, Q_XSETQLIM, of projects
_LIMIT = struct.Struct("=bbHI6Q2i2H4b3QiHh8x")  # struct fs_disk_quota
_VERSION, _OF_PROJECT, _HARD_AND_SOFT = 1, 2, 0b1111
_BLOCK = 512  # bytes

log = logging.getLogger("quota")
_libc = ctypes.CDLL(None, use_errno=True)


class NoQuota(Exception):
    """A quota can't be held. Its text is for who set it up."""


def require(folders: Iterable[Path], mounts: Path = Path("/proc/self/mountinfo")) -> None:
    """NoQuota where a folder's file system can't limit projects."""
    known = dict(_file_systems(mounts.read_text()))
    for folder in folders:
        device = folder.stat().st_dev
        kind, options = known.get(f"{os.major(device)}:{os.minor(device)}", ("unknown", ""))
        if kind != "xfs" or "prjquota" not in options.split(","):
            found = "xfs without prjquota" if kind == "xfs" else kind
            raise NoQuota(
                f"jupyterhub:hub.files.disk_quota: {folder.name} is on a file system without "
                f"project quotas ({found}); allowed: XFS, mounted with prjquota. Take the line "
                "out, or move the data to such a disk. No files were changed."
            )


def _file_systems(text: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Device, kind and options of all that is mounted (man proc_pid_mountinfo)."""
    for line in text.splitlines():
        mount, _, file_system = line.partition(" - ")
        kind, _, options = file_system.split(" ", 2)
        yield mount.split()[2], (kind, options)


class Quotas:
    """Gives each user, and each group, a number and a limit.

    Args:
        limit: bytes; None: no limit, and those of before are taken away.
    """

    def __init__(self, limit: int | None, table: Path = TABLE) -> None:
        self._limit, self._table = limit, table
        self._lock = threading.Lock()
        self._looked: dict[str, float] = {}
        # One at a time, and nobody waits for it: a disk has better to do.
        self._counting = ThreadPoolExecutor(1, thread_name_prefix="quota")

    def hold(self, who: str, folders: Sequence[Path]) -> None:
        """Limits what is in these folders together.

        From now on for what is new in them; what is there is counted in the background. More than
        the limit stays where it is: then there is no more until some is deleted.
        """
        try:
            with self._lock:
                number = self._number(who, folders)
                if number is None:
                    return
                for folder in folders:
                    self._begin(folder, number)
        except OSError as error:
            raise NoQuota(f"The disk quota can't be set: {error}. Tell your teacher.") from None
        mark = number if self._limit else UNCOUNTED
        self._counting.submit(self._look, who, folders, mark)

    def _number(self, who: str, folders: Sequence[Path]) -> int | None:
        """The same each time; a new one is nobody's on these disks, other hubs' included."""
        known: dict[str, int] = kept.read(self._table, {})
        if who in known or self._limit is None:
            return known.get(who)
        number = max([FIRST - 1, *known.values()]) + 1
        while any(_is_taken(folder, number) for folder in folders):
            number += 1
        kept.replace(self._table, known | {who: number})
        return number

    def _begin(self, folder: Path, number: int) -> None:
        with _opened(folder, os.O_DIRECTORY) as opened:
            if self._limit is None:
                _mark(opened, UNCOUNTED)
            else:
                _set_limit(opened, number, self._limit)
                _mark(opened, number)

    def _look(self, who: str, folders: Sequence[Path], number: int) -> None:
        """Marks what was there before, and what its owner took out of the count."""
        now = time.monotonic()
        if now - self._looked.get(who, -AGAIN) < AGAIN:
            return
        self._looked[who] = now
        for folder in folders:
            try:
                with _opened(folder, os.O_DIRECTORY) as opened:
                    _mark_all(opened, number)
            except OSError as error:
                log.warning("%s is not counted whole: %s", folder, error)


@contextlib.contextmanager
def _opened(path: str | Path, kind: int = 0, folder: int | None = None) -> Iterator[int]:
    """A file or folder, open. Never through a symlink, never waiting for a pipe's other end."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | kind
    opened = os.open(path, flags, dir_fd=folder)
    try:
        yield opened
    finally:
        os.close(opened)


def _mark_all(folder: int, number: int, depth: int = 0) -> None:
    """Marks all that is in an open folder."""
    with os.scandir(folder) as found:
        entries = [(e.name, e.is_dir(follow_symlinks=False)) for e in found if not e.is_symlink()]
    for name, is_folder in entries:
        # Gone meanwhile, or replaced by a symlink: whatever is new there has its number already.
        with contextlib.suppress(OSError), _opened(name, folder=folder) as opened:
            _mark(opened, number)
            if is_folder and depth < DEEPEST:
                _mark_all(opened, number, depth + 1)


def _mark(opened: int, number: int) -> None:
    """Gives an open file or folder its number."""
    mode = os.fstat(opened).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return
    flags, extent, extents, now, copies = _read_mark(opened)
    wanted = flags & ~_INHERITED
    if stat.S_ISDIR(mode) and number != UNCOUNTED:
        wanted |= _INHERITED
    if (now, flags) != (number, wanted):
        _write_mark(opened, (wanted, extent, extents, number, copies))


def _read_mark(opened: int) -> tuple[int, ...]:
    answer = fcntl.ioctl(opened, _GET_MARK, bytes(_MARK.size))
    return _MARK.unpack(answer)


def _write_mark(opened: int, mark: Sequence[int]) -> None:
    fcntl.ioctl(opened, _SET_MARK, _MARK.pack(*mark))


def _set_limit(opened: int, number: int, limit: int) -> None:
    blocks, files = limit // _BLOCK, limit // FILE
    head = (_VERSION, _OF_PROJECT, _HARD_AND_SOFT, number, blocks, blocks, files, files)
    wanted = ctypes.create_string_buffer(_LIMIT.pack(*head, *[0] * 16), _LIMIT.size)
    _quotactl(_SET_LIMIT, opened, number, wanted)


def _is_taken(folder: Path, number: int) -> bool:
    """Whether a number has a limit or files on the folder's disk."""
    answer = ctypes.create_string_buffer(_LIMIT.size)
    try:
        with _opened(folder, os.O_DIRECTORY) as opened:
            _quotactl(_GET_LIMIT, opened, number, answer)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return False
        raise
    return any(_LIMIT.unpack(answer.raw)[4:10])


def _quotactl(command: int, opened: int, number: int, buffer: ctypes.Array[ctypes.c_char]) -> None:
    device = _device_of(opened)
    if _libc.quotactl(command, device.encode(), number, buffer):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _device_of(opened: int) -> str:
    """The kernel wants the disk's device by name; a container has to make the name itself."""
    device = os.fstat(opened).st_dev
    path = f"/dev/data-{os.major(device)}-{os.minor(device)}"
    with contextlib.suppress(FileExistsError):
        os.mknod(path, stat.S_IFBLK | 0o600, device)
    return path
