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
from pathlib import Path

from . import network, paths
from .steps import apt_install, lock, run

TOOLCHAIN = "1.25.11"  # what Pulumi needs; Go fetches a newer one for a module that asks


def compiler() -> str:
    """A Go that can build what is asked for, or fetch the Go that can (1.21 or newer)."""
    usable = [go for go in _present() if _version(go) >= (1, 21)]
    if usable:
        return usable[0]
    if not _present():
        apt_install("golang-go")
    if usable := [go for go in _present() if _version(go) >= (1, 21)]:
        return usable[0]
    return _newer(_present()[0])


def _present() -> list[str]:
    places = ("go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go")
    return [found for place in places if (found := shutil.which(place))]


def _newer(old: str) -> str:
    """A newer Go, fetched by an old one (Debian 12 has 1.19): Go is published as a module, too."""
    target = paths.cache() / f"go-{TOOLCHAIN}"
    program = target / "bin" / "go"
    with lock("go"):
        if not program.exists():
            with workspace() as folder:
                unpacked = Path(folder) / "go"
                name = "golang.org/toolchain"
                module(name, f"0.0.1-go{TOOLCHAIN}.linux-{architecture()}", unpacked, go=old)
                for tool in (*unpacked.glob("bin/*"), *unpacked.glob("pkg/tool/*/*")):
                    tool.chmod(0o755)  # modules come without the bits of programs
                for hidden in list((unpacked / "src").rglob("_go.mod")):
                    hidden.rename(hidden.with_name("go.mod"))
                unpacked.rename(target)
    return str(program)


def _version(go: str) -> tuple[int, int]:
    shown = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"go(\d+)\.(\d+)", shown)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def module(name: str, version: str, target: Path, go: str | None = None) -> None:
    """Puts a writable copy of a module's source at `target`."""
    command = [go or compiler(), "mod", "download", "-json", f"{name}@v{version}"]
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
