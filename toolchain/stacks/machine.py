"""The machine that a stack's hub runs on, as the state knows it: reached by ssh."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import state as states

_INSIDE = "docker:"  # types of what is on a machine's engine
_HUBS = ("vm-ready", "host-ready")  # gates of the machine that the hub is on


@dataclass(frozen=True)
class Machine:
    """A machine behind ssh."""

    user: str
    address: str
    port: int
    options: tuple[str, ...]

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Machine | None:
        """The hub's machine; None for one on this machine's engine, or before the first up."""
        ways = (way for urn, way in _gates(state) if _name(urn) in _HUBS)
        return next(map(cls._at, ways), None)

    @classmethod
    def of_cluster(cls, state: Mapping[str, Any]) -> Machine | None:
        """The first server of a k3s cluster that the stack has made."""
        ways = (wanted["ssh"] for _, wanted in _stashed(state) if "nodes" in wanted)
        return next(map(cls._at, ways), None)

    @classmethod
    def others(cls, state: Mapping[str, Any]) -> dict[str, Machine]:
        """The stack's further machines, by the URN of each one's gate."""
        return {urn: cls._at(way) for urn, way in _gates(state) if _name(urn) not in _HUBS}

    @classmethod
    def _at(cls, way: Mapping[str, Any]) -> Machine:
        options = tuple(map(str, way["options"]))
        return cls(way["user"], way["address"], int(way["port"]), options)

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
    for urn, wanted in _stashed(state):
        if "nodes" not in wanted:
            yield urn, wanted["ssh"]


def _stashed(state: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """URN and content of whatever the state keeps of a machine behind ssh."""
    for resource in states.resources(state):
        wanted = states.unsealed(resource.get("inputs", {}).get("input"))
        is_kept = resource["type"] == "pulumi:index:Stash" and isinstance(wanted, dict)
        if is_kept and "ssh" in wanted:
            yield str(resource["urn"]), wanted


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[1]


def gate(state: Mapping[str, Any]) -> str:
    """URN of what the hub's containers wait for."""
    return next(urn for urn, _ in _gates(state) if _name(urn) in _HUBS)


def inside(state: Mapping[str, Any]) -> list[str]:
    """URNs of what is on the hub's engine: gone with its machine, and made again from nothing."""
    others = set(Machine.others(state))
    return [urn for urn, waits_for in _on_engines(state) if not others & waits_for]


def behind(state: Mapping[str, Any], gate_urn: str) -> list[str]:
    """URNs of a further machine's gate and of what is on its engine."""
    return [gate_urn, *(urn for urn, waits_for in _on_engines(state) if gate_urn in waits_for)]


def in_cluster(state: Mapping[str, Any]) -> list[str]:
    """URNs of what is in a Kubernetes cluster."""
    return [str(r["urn"]) for r in states.resources(state) if states.is_in_cluster(r)]


def _on_engines(state: Mapping[str, Any]) -> Iterator[tuple[str, set[str]]]:
    for resource in states.resources(state):
        if resource["type"].startswith(_INSIDE):
            yield str(resource["urn"]), set(resource.get("dependencies") or ())


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
