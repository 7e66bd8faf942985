"""The way into a hub: the words before a command that runs in its container."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass

from ..setup.engine import Engine
from ..setup.steps import Problem
from . import vm
from .cluster import said
from .machine import Machine
from .stack import Stack

_INSIDE = ("python3", "-m", "hubkit.graduation")


@dataclass(frozen=True)
class Door:
    """The way into a container that has the hub's code."""

    name: str
    words: tuple[str, ...]
    by_ssh: bool = False

    def command(self, *arguments: str) -> list[str]:
        """The words of a command of `hubkit.graduation` there."""
        inside = [*_INSIDE, *arguments]
        return [*self.words, shlex.join(inside)] if self.by_ssh else [*self.words, *inside]

    def ask(self, *arguments: str, given: str = "") -> str:
        """What a command there prints."""
        done = subprocess.run(
            self.command(*arguments), input=given, capture_output=True, text=True, check=False
        )
        if "invalid choice" in done.stderr:
            raise Problem(
                f"The hub of {self.name} is older than this command: make up STACK={self.name} (in "
                "a cluster, make publish IMAGE=hub and make pin before), then the same again."
            )
        if done.returncode:
            raise Problem(f"The hub of {self.name} says: {said(done.stderr)}")
        return done.stdout


def on_docker(stack: Stack) -> Door:
    """The way into a hub's container, on this machine or on another one."""
    hub = f"{stack.deployment}-hub"
    if isinstance(engine := stack.engine, Engine):
        host = ("-H", f"unix://{engine.socket}")
        return Door(stack.name, ("docker", *host, "exec", "-i", hub))
    known = Machine.of(stack.exported() or {})
    if known is None:
        raise Problem(f"The hub has no machine yet: make up STACK={stack.name}")
    vm.bring_key(stack, known)
    return Door(stack.name, (*known.command, f"docker exec -i {hub}"), by_ssh=True)
