"""What a machine has to be: the text that the converge script reads. No secrets in it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from .args import SoftwareArgs, SshArgs
from .runtime import DOCKER, Runtime

SCRIPT = (Path(__file__).parent / "converge.sh").read_text()
DATA = "/srv/data"
DISK_WITHIN = 600  # seconds that a disk may take to be attached


@dataclass(frozen=True)
class Mount:
    """A disk or a network file system, and where it is mounted.

    `kind` is `disk`, `nfs4`, … `source` is the disk's name under /dev/disk/by-id, or
    `server:/path`.
    """

    path: str
    kind: str
    source: pulumi.Input[str]
    options: str = "defaults"
    gigabytes: int | None = None  # of a disk: when it has grown, the file system on it grows

    @property
    def label(self) -> str:
        """The file system's label; XFS takes 12 characters."""
        return f"jh-{Path(self.path).name}"[:12]


def desired_state(
    ssh: SshArgs,
    software: SoftwareArgs,
    mounts: Sequence[Mount],
    folders: Sequence[str],
    key: pulumi.Input[str],
    runtime: Runtime = DOCKER,
) -> pulumi.Output[str]:
    """The text of desired.conf. `key` is the stack's own public key."""
    values = pulumi.Output.all(key, *(mount.source for mount in mounts))
    more = runtime.lines
    return values.apply(
        lambda known: _text(ssh, software, mounts, folders, known[0], known[1:], more)
    )


def _text(
    ssh: SshArgs,
    software: SoftwareArgs,
    mounts: Sequence[Mount],
    folders: Sequence[str],
    key: str,
    sources: list[Any],
    more: Mapping[str, str],
) -> str:
    placed = list(zip(mounts, map(str, sources), strict=True))
    disks = [f"{m.path} {source} {m.label}" for m, source in placed if m.kind == "disk"]
    remote = [f"{m.path} {source} {m.kind} {m.options}" for m, source in placed if m.kind != "disk"]
    values = {
        "LOGIN": ssh.user,
        "AUTHORIZED_KEYS": "\n".join(filter(None, [key, *ssh.keys])),
        "DISKS": "\n".join(disks),
        "DISK_SIZES": " ".join(f"{m.label}:{m.gigabytes}" for m, _ in placed if m.gigabytes),
        "DISK_WITHIN": str(DISK_WITHIN),
        "NFS_MOUNTS": "\n".join(remote),
        "FOLDERS": " ".join(folders),
        "ADDRESS_POOL": software.address_pool,
        "GPU_DRIVER": "yes" if software.gpu_driver else "no",
        "CVMFS": ",".join(software.cvmfs),
        "UPDATES": "yes" if software.updates else "no",
        **more,
    }
    return lines(values)


def lines(values: Mapping[str, str]) -> str:
    """Settings as the script reads them."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
