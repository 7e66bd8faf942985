"""Locks: every package with its hashes, from the pins that people edit. What `make locks` runs.

Versions that are in a lock stay, unless a pin asks for others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..setup import paths, python_env
from ..setup.steps import Problem, step

PYTHON = "3.11"  # the oldest; newer ones get lines of their own where they need them
UV_COPIES = ("toolchain/setup/uv.txt", "images/hub/uv.txt", "images/notebook/uv.txt")
_BASES = ("hub", "notebook")


@dataclass(frozen=True)
class Lock:
    """A list of pins and what is made of it.

    Attributes:
        pins: the list, from the checkout's root.
        base: the lock of what is installed before; its packages keep their versions.
        adds: the lock has only what the base has not.
        complete: the list names all packages itself, for one of several ways to install.
    """

    pins: str
    base: str | None = None
    adds: bool = False
    complete: bool = False

    @property
    def path(self) -> str:
        """The file that is made."""
        return self.pins.removesuffix(".txt") + ".lock"


def all_locks() -> list[Lock]:
    """In the order in which they are made."""
    found = [Lock("requirements.txt"), Lock("requirements-dev.txt", base="requirements.lock")]
    found += [Lock(f"images/{name}/requirements.txt") for name in _BASES]
    found.append(Lock("images/hub/requirements-build.txt"))
    base = Lock("images/notebook/requirements.txt").path
    for path in sorted((paths.ROOT / "images").glob("*/requirements.txt")):
        if path.parent.name not in _BASES:
            found.append(Lock(str(path.relative_to(paths.ROOT)), base, adds=True))
    for path in sorted((paths.ROOT / "images").glob("*/requirements/*.txt")):
        found.append(Lock(str(path.relative_to(paths.ROOT)), complete=True))
    return found


def run(given: Namespace) -> None:
    """Makes all locks."""
    python_env.ensure_uv()
    with step("Locks") as current:
        env = python_env.uv_environment()
        found = all_locks()
        for lock in found:
            _compile(_words(lock), paths.ROOT / lock.path, env)
        _renew_uv(env)
        current.result = f"{len(found)} files"


def versions(text: str) -> dict[str, set[str]]:
    """The packages that a list pins; one has two versions where Pythons differ."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[[\w.,-]+\])?==([^\s;\\]+)", text, re.M):
        found.setdefault(normal(name), set()).add(version)
    return found


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _words(lock: Lock) -> Iterator[str]:
    yield lock.pins
    if lock.base:
        yield from ("-c", lock.base)
    if lock.adds and lock.base:
        for name in versions((paths.ROOT / lock.base).read_text()):
            yield from ("--no-emit-package", name)
    if lock.complete:
        yield "--no-deps"
    if "-dev" in lock.pins:
        yield from ("--no-emit-package", "hubkit")  # a folder of this checkout


def _compile(words: Iterator[str], target: Path, env: dict[str, str]) -> None:
    """Writes the file when all is well: a lock is never half made."""
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    if target.exists():
        shutil.copyfile(target, partial)  # whose versions stay
    command = [str(python_env.UV), "pip", "compile", "-q", "--universal", "--generate-hashes"]
    command += ["--python-version", PYTHON, "--python", str(python_env.PYTHON), "--no-annotate"]
    command += ["--custom-compile-command", "make locks", *words, "-o", str(partial)]
    try:
        done = subprocess.run(
            command, cwd=paths.ROOT, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Problem(f"{target.name} can't be made:\n{done.stderr.strip()}")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _renew_uv(env: dict[str, str]) -> None:
    """uv's own pin: the first of the files is edited, images have copies in their contexts."""
    first, *others = (paths.ROOT / path for path in UV_COPIES)
    _compile(iter([UV_COPIES[0], "--no-deps"]), first, env)
    for path in others:
        shutil.copyfile(first, path)
