"""What every platform file of SharedVolume returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pulumi


@dataclass(frozen=True)
class Made:
    """A volume, and how a machine gets at it.

    Attributes:
        holder: the resource that the data is in; none where it is somebody else's.
        volume: name to mount it by, or its id in the cloud.
        kind: `disk` for the converge script's disks, a file system type (`nfs4`) for the rest.
        source: what is mounted: the disk under /dev/disk/by-id, or `server:/path`.
        options: mount options.
        zone: where it is, if it can be used from there only.
        remote: how rclone opens a bucket, by the names of its options.
        admit: lets a machine's network in, where a volume has a door of its own; called by the
            platform's CloudVM with its network facts, returns what to wait for.
    """

    holder: pulumi.Resource | None
    volume: pulumi.Output[str]
    kind: str = "volume"
    source: pulumi.Output[str] | None = None
    options: str = "defaults"
    zone: pulumi.Output[str] | None = None
    remote: pulumi.Output[dict[str, str]] | None = None
    admit: Callable[..., list[pulumi.Resource]] | None = field(default=None, compare=False)
