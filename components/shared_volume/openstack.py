"""SharedVolume on OpenStack: Cinder, Manila, Swift."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_openstack as openstack

from ..platforms.site import Site
from .args import SharedVolumeArgs, VolumeKind
from .made import Made

# What an adopted volume may have differently: it comes as it is.
_ADOPTED = ("metadata", "name")


def create(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    """Makes the volume, or takes the existing one."""
    makers = {
        VolumeKind.block: _block,
        VolumeKind.filesystem: _filesystem,
        VolumeKind.bucket: _bucket,
    }
    return makers[args.kind](name, args, site, parent)


def _kept(args: SharedVolumeArgs, site: Site, parent: pulumi.Resource, *ignored: str) -> Any:
    """Options of what holds data: who overrides its protection makes the stack forget it, no more.

    An adopted one is imported: its id is the one that was given.
    """
    return site.options(
        parent,
        protect=args.protect,
        retain_on_delete=args.protect,
        import_=args.volume,
        ignore_changes=[*ignored, "region", *(_ADOPTED if args.volume else ())],
    )


def _block(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    disk = openstack.blockstorage.Volume(
        name,
        name=site.named(name),
        size=args.gigabytes,
        volume_type=args.type,
        availability_zone=site.zone,
        enable_online_resize=True,
        metadata=site.tags(name),
        region=site.region,
        # What can't change in place would make an empty disk.
        opts=_kept(args, site, parent, "availabilityZone", "volumeType", "imageId", "snapshotId"),
    )
    # The disk's serial is the first 20 characters of the volume's id, as virtio has room for.
    source = disk.id.apply(lambda known: f"/dev/disk/by-id/virtio-{known[:20]}")
    return Made(disk, disk.id, "disk", source, zone=disk.availability_zone)


def _filesystem(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    share = openstack.sharedfilesystem.Share(
        name,
        name=site.named(name),
        share_proto="NFS",
        share_type=args.type,
        size=args.gigabytes,
        metadata=site.tags(name),
        region=site.region,
        opts=_kept(args, site, parent, "shareProto", "shareType", "availabilityZone", "snapshotId"),
    )

    def admit(cidr: pulumi.Input[str]) -> list[pulumi.Resource]:
        access = openstack.sharedfilesystem.ShareAccess(
            name,
            share_id=share.id,
            access_type="ip",
            access_to=cidr,
            access_level="rw",
            region=site.region,
            opts=site.options(parent),
        )
        return [access]

    source = share.export_locations.apply(lambda known: str(known[0].path))
    return Made(share, share.id, "nfs4", source, "hard,timeo=600", admit=admit)


def _bucket(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    container = openstack.objectstorage.Container(
        name,
        name=args.volume or site.named(name),
        region=site.region,
        metadata=site.tags(name),
        opts=_kept(args, site, parent, "name"),
    )
    # Machines have no roles of their own here: a credential that can be taken back alone.
    credential = openstack.identity.ApplicationCredential(
        name,
        name=site.named(name),
        description=f"rclone on {site.named('vm')}",
        region=site.region,
        opts=site.options(parent, additional_secret_outputs=["secret"]),
    )
    remote = pulumi.Output.all(
        type="swift",
        auth=site.looked_up("the address of Keystone", lambda: _keystone(site)),
        application_credential_id=credential.id,
        application_credential_secret=credential.secret,
    )
    return Made(container, container.name, "bucket", remote=remote)


def _keystone(site: Site) -> pulumi.Output[str]:
    scope = openstack.identity.get_auth_scope_output(
        name="own", region=site.region, opts=site.invoke_options()
    )
    return scope.service_catalogs.apply(_public_identity)


def _public_identity(catalogs: Any) -> str:
    endpoints = (e for c in catalogs if c.type == "identity" for e in c.endpoints)
    return str(next(e.url for e in endpoints if e.interface == "public"))
