"""Builds programs from published Go modules, for machines that reach only package registries."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import paths
from .steps import Problem, apt_install, is_root, run


def compiler() -> str:
    """A Go that can fetch the toolchain a module asks for (1.21 or newer)."""
    for place in ("go", "/usr/local/go/bin/go", "/usr/lib/go-1.24/bin/go", "/usr/lib/go/bin/go"):
        found = shutil.which(place)
        if found and _version(found) >= (1, 21):
            return found
    if is_root():
        apt_install("golang-go")
        if (found := shutil.which("go")) and _version(found) >= (1, 21):
            return found
    raise Problem(
        "Go 1.21 or newer is needed to build from packages. On Debian 12 (as root):\n"
        "  echo 'deb http://deb.debian.org/debian bookworm-backports main' "
        "> /etc/apt/sources.list.d/backports.list\n"
        "  apt-get update && apt-get install -y -t bookworm-backports golang-go"
    )


def _version(go: str) -> tuple[int, int]:
    shown = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"go(\d+)\.(\d+)", shown)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def module(name: str, version: str, target: Path) -> None:
    """Puts a writable copy of a module's source at `target`."""
    command = [compiler(), "mod", "download", "-json", f"{name}@v{version}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    found = json.loads(answer.stdout or "{}")
    if answer.returncode or "Dir" not in found:
        reason = found.get("Error") or answer.stderr.strip()
        raise Problem(f"{name} can't be had from the Go module proxy: {reason}")
    shutil.copytree(found["Dir"], target)
    for folder, _, files in os.walk(target):
        for each in (folder, *(os.path.join(folder, file) for file in files)):
            os.chmod(each, 0o755 if os.access(each, os.X_OK) else 0o644)


def build(
    source: Path, package: str, flags: str, output: Path, what: str, cgo: bool = True
) -> None:
    """Builds a program; it appears at `output` whole or not at all."""
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    env = os.environ | {"GOFLAGS": "-buildvcs=false"} | ({} if cgo else {"CGO_ENABLED": "0"})
    command = [
        compiler(),
        "build",
        "-trimpath",
        "-ldflags",
        f"-s -w {flags}",
        "-o",
        partial,
        package,
    ]
    run(command, what, cwd=source, env=env)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial.rename(output)


def workspace() -> tempfile.TemporaryDirectory[str]:
    """A place for sources, on the cache's disk."""
    return tempfile.TemporaryDirectory(dir=paths.cache(), prefix="build-")
