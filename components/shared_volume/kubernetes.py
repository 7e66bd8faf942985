"""SharedVolume in a Kubernetes cluster: a claim (PVC), of a storage class or on an NFS server."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from ..platforms.kubernetes import KubernetesCluster
from .args import SharedVolumeArgs, VolumeKind
from .made import Made

# KubeSpawner makes a claim for each user. Said here and not left to the chart: a changed default
# would look like lost homes.
USERS_CLAIM = "claim-{username}"
# A claim can change none of these; another one would be an empty one.
_FIXED = ["spec.storageClassName", "spec.accessModes", "spec.volumeName", "spec.volumeMode"]


def create(
    name: str, args: SharedVolumeArgs, cluster: KubernetesCluster, parent: pulumi.Resource
) -> Made:
    """Makes the claim, or takes the one that has this name already.

    One that is adopted by name is used as it is: never changed, never deleted.
    """
    if args.kind is VolumeKind.per_user:
        return Made(None, pulumi.Output.from_input(USERS_CLAIM), kind="per_user")
    if args.volume:
        return Made(None, pulumi.Output.from_input(args.volume), kind="claim")
    on_nfs = args.kind is VolumeKind.filesystem
    volume = _nfs_volume(name, args, cluster, parent) if on_nfs else None
    claim = kubernetes.core.v1.PersistentVolumeClaim(
        name,
        metadata=_metadata(name, cluster),
        spec=claim_spec(name, args, cluster),
        opts=_kept(args, cluster, parent, depends_on=[volume] if volume else []),
    )
    return Made(claim, claim.metadata.name.apply(str), kind="claim")


def claim_spec(name: str, args: SharedVolumeArgs, cluster: KubernetesCluster) -> dict[str, Any]:
    """What the claim asks for. Homes and shared folders are mounted on many nodes at once."""
    one_node = args.one_node if args.one_node is not None else name in ("state", "certificates")
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce" if one_node else "ReadWriteMany"],
        "resources": {"requests": {"storage": f"{_gigabytes(name, args)}Gi"}},
    }
    if args.kind is VolumeKind.filesystem:
        # Bound to our volume by name; an empty class keeps every provisioner away.
        return spec | {"storageClassName": "", "volumeName": cluster.named(name)}
    chosen = args.type or cluster.storage_class
    return spec | ({"storageClassName": chosen} if chosen else {})


def _gigabytes(name: str, args: SharedVolumeArgs) -> int:
    small = name in ("state", "certificates")
    return args.size or (1 if small else 100 if args.kind is VolumeKind.filesystem else 50)


def _nfs_volume(
    name: str, args: SharedVolumeArgs, cluster: KubernetesCluster, parent: pulumi.Resource
) -> pulumi.Resource:
    """The volume behind the claim. NFS looks at no size: it is only what the claim asks for."""
    made: pulumi.Resource = kubernetes.core.v1.PersistentVolume(
        f"{name}-nfs",
        metadata={"name": cluster.named(name), "labels": cluster.labels(name)},
        spec={
            "capacity": {"storage": f"{_gigabytes(name, args)}Gi"},
            "accessModes": claim_spec(name, args, cluster)["accessModes"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "claimRef": {"namespace": cluster.namespace, "name": cluster.named(name)},
            "mountOptions": ["hard", "timeo=600", "nfsvers=4.1"],
            "nfs": {"server": args.server, "path": args.path},
        },
        opts=_kept(args, cluster, parent),
    )
    return made


def _metadata(name: str, cluster: KubernetesCluster) -> dict[str, Any]:
    return {
        "name": cluster.named(name),
        "namespace": cluster.namespace,
        "labels": cluster.labels(name),
    }


def _kept(
    args: SharedVolumeArgs,
    cluster: KubernetesCluster,
    parent: pulumi.Resource,
    depends_on: list[pulumi.Resource] | None = None,
) -> pulumi.ResourceOptions:
    """Options of what holds data: even unprotected it goes only by `make purge`.

    On a disk of the stack's own it is the disk that is protected: `make down` could delete no VM
    otherwise, for a claim that is kept needs its cluster. The next `make up` finds it by its name.
    """
    return pulumi.ResourceOptions.merge(
        cluster.options(parent),
        pulumi.ResourceOptions(
            protect=args.protect and cluster.protects_claims,
            retain_on_delete=True,
            ignore_changes=[*_FIXED, "metadata.labels"],
            depends_on=depends_on or [],
        ),
    )
