"""Args of SharedVolume."""

from __future__ import annotations

from enum import Enum
from typing import Self

import pulumi
from pydantic import model_validator

from ..args import Args, InputStr, field, matching

# What every hub keeps, each on a volume.
KEPT = ("homes", "shared", "state", "certificates", "uploads")
_REFUSED = "refused while the old one is protected; nothing is copied between the two"


class VolumeKind(str, Enum):
    """What keeps the data."""

    folder = "folder"
    block = "block"
    filesystem = "filesystem"
    bucket = "bucket"
    claim = "claim"
    per_user = "per_user"


class Encryption(str, Enum):
    """Who encrypts a disk."""

    provider = "provider"
    none = "none"


class SnapshotArgs(Args):
    """Copies of a disk that the cloud makes by itself."""

    hour: int = field(
        3, ge=0, le=23, unit="hour of the day, UTC", description="When.", change="in place"
    )
    keep: int = field(
        7,
        ge=1,
        le=365,
        unit="days",
        description="How long each one is kept.",
        change="in place; a smaller number deletes the older ones",
    )


class SharedVolumeArgs(Args):
    """Storage that outlives what uses it: homes, shared folder, hub state, certificates."""

    kind: VolumeKind = field(
        VolumeKind.folder,
        description=(
            "`folder`: a Docker volume, or a folder of the machine; `block`: a disk of the cloud; "
            "`filesystem`: the cloud's shared file system (NFS); `bucket`: object storage; "
            "`claim`: a volume of a Kubernetes cluster (PVC); `per_user`: one for each user there."
        ),
        change=_REFUSED,
    )
    volume: InputStr | None = field(
        None,
        description=(
            "Existing one to adopt: a Docker volume's name, a disk's, file system's or bucket's id "
            "in the cloud, a claim's name in Kubernetes, which is used as it is. Default: a new "
            "one named after the stack."
        ),
        change=_REFUSED,
    )
    path: InputStr | None = field(
        None,
        description=(
            "`folder`: existing directory on the host to keep the data in. `filesystem` in "
            "Kubernetes: what `server` exports."
        ),
        change=_REFUSED,
    )
    server: InputStr | None = field(
        None,
        description=(
            "`filesystem` in Kubernetes: the NFS server that has it (also EFS, Filestore, Manila)."
        ),
        change=_REFUSED,
    )
    size: int | None = field(
        None,
        ge=1,
        le=65536,
        unit="GiB",
        description=(
            "Size of a `block` (default 50), a `filesystem` (default 100) or a `claim` (default "
            "50; 1 for state and certificates), and of each user's (default 10) with `per_user`."
        ),
        change="grows in place, also the file system on it; never shrinks",
    )
    type: str | None = field(
        None,
        pattern=r"^\S.*$",
        description=(
            "The cloud's type of disk or share. Default: gp3 (AWS), pd-balanced (GCP), the "
            "cloud's own (OpenStack). In Kubernetes a storage class, default: that of `cluster`."
        ),
        change="in place on AWS; refused while protected elsewhere",
    )
    encryption: Encryption = field(
        Encryption.provider,
        description=(
            "`provider`: the cloud encrypts it (always so on AWS and GCP; on OpenStack `type` has "
            "to name an encrypted volume type). `none`: it doesn't."
        ),
        change=_REFUSED,
    )
    snapshots: SnapshotArgs | None = field(
        None,
        description="A copy each day, of a `block` on AWS and GCP. Default: none.",
        change="in place",
    )
    one_node: bool | None = field(
        None,
        description=(
            "`claim`: mounted on one node at a time (ReadWriteOnce), which any storage class can. "
            "Default: only state and certificates; homes and shared folder need a class that can "
            "ReadWriteMany, or a cluster of one node."
        ),
        change=_REFUSED,
    )
    protect: bool = field(
        True,
        description=(
            "Refuse to delete this volume. `make down` keeps protected volumes, and a `pulumi` "
            "that is told to ignore protection forgets them only; `make purge` deletes them."
        ),
        change="nothing on the running system; decides what the next `make down` keeps",
    )

    _volume = matching(
        r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", "volume", form="a name or id of letters, digits and _ . -"
    )
    _path = matching(r"/\S+", "path", form="a path that begins with /")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if self.volume and self.path:
            raise ValueError("give either `volume` (adopt by name) or `path`, not both")
        wrong = {
            VolumeKind.folder: ("size", "type", "snapshots", "server", "one_node"),
            VolumeKind.block: ("path", "server", "one_node"),
            VolumeKind.filesystem: ("snapshots", *(() if self.server else ("path",))),
            VolumeKind.bucket: ("path", "size", "type", "snapshots", "server", "one_node"),
            VolumeKind.claim: ("path", "snapshots", "server"),
            VolumeKind.per_user: ("path", "snapshots", "server", "volume"),
        }[self.kind]
        given = [name for name in wrong if getattr(self, name) is not None]
        if given:
            raise ValueError(f"{', '.join(given)} does not go with kind `{self.kind.value}`")
        if self.server and not self.path:
            raise ValueError("server goes with path: what it exports, like /export/homes")
        by_id = (VolumeKind.block, VolumeKind.filesystem, VolumeKind.bucket)
        if self.kind in by_id and isinstance(self.volume, pulumi.Output):
            raise ValueError(
                f"volume is an Output; to adopt a {self.kind.value} its id has to be known before "
                "anything is made: give it as plain text, from the config for example"
            )
        return self

    @property
    def gigabytes(self) -> int:
        """The size in GiB, where none is given the kind's own."""
        return self.size or {VolumeKind.filesystem: 100}.get(self.kind, 50)
