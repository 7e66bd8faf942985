"""Users' folders on the data volumes: made with the right owner, never through a symlink."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import tarfile
from pathlib import Path

import docker

SKELETON_LIMIT = 64 * 1024**2  # bytes; a larger home in an image is not for every user's disk

Owner = tuple[int, int]


class UnsafeFolder(Exception):
    """A user's folder is something else than a folder. Its text says what."""


def ensure(parent: Path, name: str, owner: Owner, mode: int) -> None:
    """Makes `parent/name` for this owner, or mends owner and mode of the folder itself.

    What is inside is the user's and isn't touched (no recursive chown). All is done on an open
    folder, so that a symlink put there meanwhile leads nowhere. `parent` must not be a user's to
    change but for its last part.
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


def create(parent: Path, name: str, owner: Owner, mode: int, skeleton: bytes | None) -> None:
    """A new home with an image's files in it; all of it appears at once, or nothing."""
    partial = f".new-{name}"  # no user's folder can be called so
    remove(parent, partial)
    ensure(parent, partial, owner, mode)
    if skeleton is not None:
        fill(parent / partial, skeleton, owner)
    try:
        os.rename(parent / partial, parent / name)
    except OSError:  # the user's other server was faster
        remove(parent, partial)


def make_way(home: Path, name: str) -> None:
    """Renames a user's own file, or symlink, that is where a folder will be mounted."""
    mine = home / name
    if mine.is_symlink() or (mine.exists() and not mine.is_dir()):
        number = next(n for n in range(1, 10_000) if not (home / f"{name}-{n}").exists())
        mine.rename(home / f"{name}-{number}")


def fill(home: Path, skeleton: bytes, owner: Owner) -> None:
    """Puts an image's own home into a new one, which nobody else has seen yet.

    Only files, folders and links that stay inside; all of them the owner's.
    """
    with tarfile.open(fileobj=io.BytesIO(skeleton)) as archive:
        # Python 3.11.2 has no `filter="data"` yet.
        members = [member for member in archive if _is_harmless(member)]
        archive.extractall(home, members)  # noqa: S202  # they were looked at
    for folder, folders, files in os.walk(home):
        for name in (*folders, *files):
            os.lchown(os.path.join(folder, name), *owner)


def _is_harmless(member: tarfile.TarInfo) -> bool:
    """Whether it stays inside; takes from it what gives rights to who runs it."""
    member.mode &= 0o777
    paths = [member.name, *([member.linkname] if member.issym() else [])]
    inside = not any(path.startswith("/") or ".." in path.split("/") for path in paths)
    return inside and (member.isreg() or member.isdir() or member.issym())


def skeleton(
    client: docker.APIClient, image: str, home: str, labels: dict[str, str]
) -> bytes | None:
    """What an image has in its home, which a user's mounted home would hide; a tar archive.

    Read from a container that is never started.
    """
    container = client.create_container(image, command=["true"], labels=labels)["Id"]
    try:
        chunks, _ = client.get_archive(container, f"{home}/.")
        return _limited(chunks)
    except docker.errors.NotFound:
        return None
    finally:
        client.remove_container(container, force=True)


def _limited(chunks: object) -> bytes | None:
    found = io.BytesIO()
    for chunk in chunks:  # type: ignore[attr-defined]
        if found.tell() + len(chunk) > SKELETON_LIMIT:
            return None
        found.write(chunk)
    return found.getvalue()


def remove(parent: Path, name: str) -> None:
    """Deletes a folder that isn't kept, whatever its user made of it; follows no symlink."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(parent / name)
