"""What runs containers on a machine: Docker, or a node of a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pulumi

Files = Mapping[str, pulumi.Input[str]]


def _none(address: pulumi.Output[str], private: pulumi.Output[str]) -> Files:
    return {}


@dataclass(frozen=True)
class Runtime:
    """What the converge script makes of a machine beside disks and accounts.

    User data tells a machine its name and settings; the files come by ssh only, which is why
    secrets may be in them, and what is known once there is a machine: its addresses.

    Attributes:
        name: the script's name for it.
        answers: a shell command that works there as long as it runs.
        settings: more lines of desired.conf. No secrets.
        files: what it reads, by path, from the machine's address and that on its own network.
        sealed: files with secrets; only their checksums are in the state.
        after: what has to be there before it starts, beside its own machine.
    """

    name: str
    answers: str
    settings: Mapping[str, str] = field(default_factory=dict)
    files: Callable[[pulumi.Output[str], pulumi.Output[str]], Files] = _none
    sealed: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    after: tuple[pulumi.Resource, ...] = ()

    @property
    def lines(self) -> dict[str, str]:
        """Its part of desired.conf."""
        return {"ENGINE": self.name, **self.settings}


DOCKER = Runtime("docker", "docker version >/dev/null")


def digest(files: Mapping[str, str]) -> str:
    """One checksum of several files: a changed one makes the converge script run."""
    text = "".join(f"{path}\0{content}\0" for path, content in sorted(files.items()))
    return hashlib.sha256(text.encode()).hexdigest()
