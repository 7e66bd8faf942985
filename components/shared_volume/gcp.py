"""SharedVolume on Google Cloud: Persistent Disk, Filestore, Cloud Storage."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_gcp as gcp

from ..platforms.site import Site
from .args import SharedVolumeArgs, VolumeKind
from .made import Made

# What an adopted volume may have differently: it comes as it is.
_ADOPTED = ("labels",)


def create(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    """Makes the volume, or takes the existing one."""
    makers = {
        VolumeKind.block: _block,
        VolumeKind.filesystem: _filesystem,
        VolumeKind.bucket: _bucket,
    }
    return makers[args.kind](name, args, site, parent)


def labels(site: Site, role: str) -> dict[str, str]:
    """Labels as this cloud takes them: small letters."""
    return {k.lower(): v.lower() for k, v in site.tags(role).items() if k != "Name"}


def _kept(args: SharedVolumeArgs, site: Site, parent: pulumi.Resource, *ignored: str) -> Any:
    """Options of what holds data: who overrides its protection makes the stack forget it, no more.

    An adopted one is imported: its id is the one that was given.
    """
    return site.options(
        parent,
        protect=args.protect,
        retain_on_delete=args.protect,
        import_=args.volume,
        ignore_changes=[*ignored, *(_ADOPTED if args.volume else ())],
    )


def _block(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    disk = gcp.compute.Disk(
        name,
        name=args.volume or site.named(name),
        size=args.gigabytes,
        type=args.type or "pd-balanced",
        zone=site.zone,
        project=site.account,
        labels=labels(site, name),
        # What can't change in place would make an empty disk.
        opts=_kept(args, site, parent, "name", "zone", "type", "image", "snapshot", "project"),
    )
    if args.snapshots:
        _snapshots(name, args, site, disk, parent)
    # CloudVM attaches it under its own name.
    return Made(
        disk, disk.name, "disk", disk.name.apply("/dev/disk/by-id/google-{}".format), zone=disk.zone
    )


def _snapshots(
    name: str, args: SharedVolumeArgs, site: Site, disk: gcp.compute.Disk, parent: pulumi.Resource
) -> None:
    assert args.snapshots
    policy = gcp.compute.ResourcePolicy(
        f"{name}-snapshots",
        name=site.named(f"{name}-snapshots"),
        region=site.region,
        project=site.account,
        snapshot_schedule_policy={
            "schedule": {
                "daily_schedule": {
                    "days_in_cycle": 1,
                    "start_time": f"{args.snapshots.hour:02}:00",
                }
            },
            "retention_policy": {
                "max_retention_days": args.snapshots.keep,
                "on_source_disk_delete": "KEEP_AUTO_SNAPSHOTS",
            },
        },
        opts=site.options(parent),
    )
    gcp.compute.DiskResourcePolicyAttachment(
        f"{name}-snapshots",
        name=policy.name,
        disk=disk.name,
        zone=site.zone,
        project=site.account,
        opts=site.options(parent),
    )


def _filesystem(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    instance = gcp.filestore.Instance(
        name,
        name=args.volume or site.named(name),
        location=site.zone,
        tier=args.type or "BASIC_HDD",
        project=site.account,
        file_shares={"name": "data", "capacity_gb": max(args.gigabytes, 1024)},
        networks=[{"network": site.network or "default", "modes": ["MODE_IPV4"]}],
        labels=labels(site, name),
        opts=_kept(args, site, parent, "name", "location", "tier", "networks", "project"),
    )
    source = instance.networks.apply(lambda n: f"{(n[0].ip_addresses or [])[0]}:/data")
    return Made(instance, instance.name, "nfs", source, "nfsvers=3,hard,timeo=600,retrans=3")


def _bucket(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    bucket = gcp.storage.Bucket(
        name,
        name=args.volume or f"{site.account or 'bucket'}-{site.named(name)}",
        location=site.region or "",
        project=site.account,
        labels=labels(site, name),
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        opts=_kept(args, site, parent, "name", "location", "project"),
    )
    # Without a key, rclone takes what the machine's own account may.
    remote = {"type": "google cloud storage", "env_auth": "true", "bucket_policy_only": "true"}
    return Made(bucket, bucket.name, "bucket", remote=pulumi.Output.from_input(remote))
