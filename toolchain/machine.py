"""The machine that a stack's hub runs on, as the state knows it: reached by ssh."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import state as states

_INSIDE = "docker:"  # types of what is on a machine's engine


@dataclass(frozen=True)
class Machine:
    """A machine behind ssh."""

    user: str
    address: str
    port: int
    options: tuple[str, ...]

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Machine | None:
        """The machine of a stack; None for one on this machine's engine, or before the first up."""
        for _, way in _gates(state):
            options = tuple(map(str, way["options"]))
            return cls(way["user"], way["address"], int(way["port"]), options)
        return None

    def option(self, name: str) -> str:
        """The value of one of ssh's options."""
        return next(o.split("=", 1)[1] for o in self.options if o.startswith(f"{name}="))

    @property
    def key(self) -> str:
        """The private key's file, as ssh is told it."""
        return self.options[self.options.index("-i") + 1]

    @property
    def command(self) -> list[str]:
        """The words of ssh, up to the command to run there."""
        return ["ssh", *self.options, "-p", str(self.port), f"{self.user}@{self.address}"]

    def run(
        self, command: str, given: bytes = b"", seconds: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a shell command there."""
        words = [*self.command, command]
        try:
            return subprocess.run(
                words, input=given, capture_output=True, check=False, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, 255, b"", b"no answer")

    def become(self, command: str) -> None:
        """Ends this program and runs a command there, with this terminal."""
        os.execvp("ssh", [*self.command[:1], "-t", *self.command[1:], command])

    def has_docker(self) -> bool:
        """Whether it is there and its Docker answers."""
        return self.run("docker version >/dev/null", seconds=60).returncode == 0


def _gates(state: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """URN and way of each machine that containers wait for."""
    for resource in states.resources(state):
        wanted = states.unsealed(resource.get("inputs", {}).get("input"))
        is_gate = resource["type"] == "pulumi:index:Stash" and isinstance(wanted, dict)
        if is_gate and "ssh" in wanted:
            yield str(resource["urn"]), wanted["ssh"]


def gate(state: Mapping[str, Any]) -> str:
    """URN of what containers wait for."""
    return next(urn for urn, _ in _gates(state))


def inside(state: Mapping[str, Any]) -> list[str]:
    """URNs of what is on the machine's engine: gone with it, and made again from nothing."""
    return [r["urn"] for r in states.resources(state) if r["type"].startswith(_INSIDE)]


def without(state: dict[str, Any], urns: list[str]) -> dict[str, Any]:
    """The state with some resources forgotten; nothing is deleted."""
    gone = set(urns)
    deployment = dict(state["deployment"])
    kept = [dict(r) for r in deployment["resources"] if r["urn"] not in gone]
    for resource in kept:
        resource["dependencies"] = [u for u in resource.get("dependencies") or [] if u not in gone]
        known = resource.get("propertyDependencies") or {}
        resource["propertyDependencies"] = {
            name: [urn for urn in urns_ or [] if urn not in gone] for name, urns_ in known.items()
        }
    deployment["resources"] = kept
    deployment.pop("pending_operations", None)
    return state | {"deployment": deployment}
