"""A build's context: which files belong to it, their digest, and the archive for the engine."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .errors import PluginError

# Names a Dockerfile from outside of the context inside the archive.
_BROUGHT_IN = ".dockerfile.from-outside"
_IN_MEMORY = 32 * 1024**2


@dataclass(frozen=True)
class BuildContext:
    """A folder and the Dockerfile to build it with, both as paths that exist."""

    folder: Path
    dockerfile: Path

    @classmethod
    def of(cls, folder: str, dockerfile: str | None) -> BuildContext:
        """The context of a build; without a `dockerfile` it is the one in the folder."""
        context = cls(Path(folder), Path(dockerfile) if dockerfile else Path(folder, "Dockerfile"))
        if not context.folder.is_dir():
            raise PluginError(f"the build context {folder} is not a folder; check build.context")
        if not context.dockerfile.is_file():
            inside = context.folder / context.dockerfile
            hint = f"; try {inside}" if inside.is_file() else ""
            raise PluginError(f"there is no Dockerfile at {context.dockerfile}{hint}")
        return context

    @property
    def dockerfile_in_context(self) -> str | None:
        """The Dockerfile's path inside the context, None if it is outside."""
        path = os.path.relpath(self.dockerfile.resolve(), self.folder.resolve())
        return None if path.startswith("..") else path

    def files(self) -> list[str]:
        """What is in the context, .dockerignore honoured, in a fixed order."""
        from docker.utils import exclude_paths

        dockerfile = self.dockerfile_in_context
        return sorted(exclude_paths(str(self.folder), self._ignored(), dockerfile))

    def _ignored(self) -> list[str]:
        # A Dockerfile's own ignore file comes before the folder's, as Docker documents it.
        own = self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore")
        for path in (own, self.folder / ".dockerignore"):
            if path.is_file():
                lines = (line.strip() for line in path.read_text().splitlines())
                return [line for line in lines if line and not line.startswith("#")]
        return []

    def digest(self) -> str:
        """Changes when a file's content, name or mode changes."""
        total = hashlib.sha256(self.dockerfile.read_bytes())
        for name in self.files():
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                continue
            mode = path.lstat().st_mode
            total.update(f"\0{name}\0{mode:o}\0".encode())
            total.update(_content_digest(path))
        return total.hexdigest()

    def archive(self) -> tuple[IO[bytes], str]:
        """The tar archive to send, and the Dockerfile's name in it."""
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by caller
        name = self.dockerfile_in_context
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path in self.files():
                tar.add(self.folder / path, arcname=path, recursive=False, filter=_owned_by_root)
            if name is None:
                content = self.dockerfile.read_bytes()
                info = tarfile.TarInfo(_BROUGHT_IN)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        file.seek(0)
        return file, name or _BROUGHT_IN


def _content_digest(path: Path) -> bytes:
    if path.is_symlink():
        return str(path.readlink()).encode()
    if not path.is_file():  # a socket or the like is not sent either
        return b""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _owned_by_root(info: tarfile.TarInfo) -> Any:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return info
