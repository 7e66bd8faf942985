"""Whether the disk with users' data can limit them, before anything is touched."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..setup.engine import Engine
from ..setup.steps import Problem
from .machine import Machine
from .stack import Stack

Look = Callable[[str], str]  # runs a shell command where the data is, returns what it printed


def check(stack: Stack, engine: Engine | None, state: Mapping[str, Any]) -> None:
    """Stops over a quota that can't be held. What isn't known yet, the hub sees when it starts."""
    machine = Machine.of(state)
    if engine and engine.version():
        _require(stack, _volumes(stack, engine), _here)
    elif machine:
        _require(stack, stack.facts["limited"].items(), _on(machine))


def _require(stack: Stack, folders: Iterable[tuple[str, str]], look: Look) -> None:
    wrong = [
        f"  jupyterhub:volumes.{name}: {path} is on {kind}"
        for name, path in folders
        if (kind := _without_quotas(look(f"findmnt -no FSTYPE,OPTIONS -T {shlex.quote(path)}")))
    ]
    if wrong:
        raise Problem(
            f"jupyterhub:hub.files.disk_quota: found {stack.facts['disk_quota']} bytes; allowed: "
            "nothing, where the data is not on XFS mounted with prjquota. Nothing was changed.\n"
            + "\n".join(wrong)
            + f"\nTake the line out of stacks/{stack.file.name}, or move the data to such a disk: "
            "docs/class.md, Disk quota."
        )


def _without_quotas(found: str) -> str | None:
    """Kind of a file system that can't limit; None for one that can, or that nobody knows."""
    kind, _, options = found.strip().partition(" ")
    if kind == "xfs":
        return None if "prjquota" in options.strip().split(",") else "xfs without prjquota"
    return kind or None


def _volumes(stack: Stack, engine: Engine) -> Iterator[tuple[str, str]]:
    """Names and folders on this machine; a volume that isn't there yet is made by the engine."""
    for name, path in stack.facts["limited"].items():
        volume = f"{stack.deployment}-{name}"
        if path is None and engine.has_volume(volume):
            known = engine.call("GET", f"/volumes/{volume}")
            path = (known.get("Options") or {}).get("device") or known["Mountpoint"]
        yield name, path or f"{engine.call('GET', '/info')['DockerRootDir']}/volumes"


def _on(machine: Machine) -> Look:
    return lambda command: machine.run(command).stdout.decode()


def _here(command: str) -> str:
    words = shlex.split(command)
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout
