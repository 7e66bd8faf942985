"""SharedVolume on AWS: EBS, EFS, S3."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from ..platforms.site import Site
from .args import SharedVolumeArgs, VolumeKind
from .made import Made

# What an adopted volume may have differently: it comes as it is.
_ADOPTED = ("tags", "type")


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
        ignore_changes=[*ignored, *(_ADOPTED if args.volume else ())],
    )


def _block(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    disk = aws.ebs.Volume(
        name,
        availability_zone=site.zone or "",
        size=args.gigabytes,
        type=args.type or "gp3",
        encrypted=True,
        tags=site.tags(name),
        region=site.region,
        # What can't change in place would make an empty disk.
        opts=_kept(args, site, parent, "availabilityZone", "encrypted", "kmsKeyId", "snapshotId"),
    )
    if args.snapshots:
        _snapshots(name, args, site, parent)
    source = disk.id.apply(
        lambda i: f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{i.replace('-', '')}"
    )
    return Made(disk, disk.id, "disk", source, zone=disk.availability_zone)


def _snapshots(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> None:
    assert args.snapshots
    role = aws.iam.Role(
        f"{name}-snapshots",
        assume_role_policy=_trust("dlm.amazonaws.com"),
        tags=site.tags(f"{name}-snapshots"),
        opts=site.options(parent),
    )
    actions = ["ec2:CreateSnapshot", "ec2:DeleteSnapshot", "ec2:DescribeVolumes"]
    actions += ["ec2:DescribeSnapshots", "ec2:DescribeInstances", "ec2:CreateTags"]
    aws.iam.RolePolicy(
        f"{name}-snapshots",
        role=role.id,
        policy=_policy(actions, ["*"]),
        opts=site.options(parent),
    )
    aws.dlm.LifecyclePolicy(
        f"{name}-snapshots",
        description=f"Daily snapshots of {site.named(name)}",
        execution_role_arn=role.arn,
        region=site.region,
        policy_details={
            "resource_types": ["VOLUME"],
            "target_tags": {"Name": site.named(name)},
            "schedules": [
                {
                    "name": "daily",
                    "create_rule": {
                        "interval": 24,
                        "interval_unit": "HOURS",
                        "times": f"{args.snapshots.hour:02}:00",
                    },
                    "retain_rule": {"interval": args.snapshots.keep, "interval_unit": "DAYS"},
                    "copy_tags": True,
                }
            ],
        },
        tags=site.tags(f"{name}-snapshots"),
        opts=site.options(parent),
    )


def _filesystem(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    system = aws.efs.FileSystem(
        name,
        encrypted=True,
        throughput_mode="elastic",
        tags=site.tags(name),
        region=site.region,
        opts=_kept(args, site, parent, "encrypted", "kmsKeyId", "performanceMode", "creationToken"),
    )

    def admit(
        subnet: pulumi.Input[str], network: pulumi.Input[str], cidr: pulumi.Input[str]
    ) -> Any:
        door = aws.ec2.SecurityGroup(
            f"{name}-door",
            description=f"NFS to {site.named(name)}",
            vpc_id=network,
            region=site.region,
            tags=site.tags(f"{name}-door"),
            opts=site.options(parent),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-door",
            security_group_id=door.id,
            ip_protocol="tcp",
            from_port=2049,
            to_port=2049,
            cidr_ipv4=cidr,
            region=site.region,
            opts=site.options(parent),
        )
        target = aws.efs.MountTarget(
            name,
            file_system_id=system.id,
            subnet_id=subnet,
            security_groups=[door.id],
            region=site.region,
            opts=site.options(parent),
        )
        return [target]

    options = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
    return Made(
        system, system.id, "nfs4", system.dns_name.apply("{}:/".format), options, admit=admit
    )


def _bucket(name: str, args: SharedVolumeArgs, site: Site, parent: pulumi.Resource) -> Made:
    bucket = aws.s3.Bucket(
        name,
        bucket=args.volume,
        tags=site.tags(name),
        region=site.region,
        opts=_kept(args, site, parent, "bucket"),
    )
    aws.s3.BucketPublicAccessBlock(
        name,
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        region=site.region,
        opts=site.options(parent),
    )
    remote = {"type": "s3", "provider": "AWS", "env_auth": "true", "region": site.region or ""}
    return Made(bucket, bucket.id, "bucket", remote=pulumi.Output.from_input(remote))


def _trust(service: str) -> str:
    principal = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [principal]})


def _policy(actions: list[str], resources: list[str]) -> str:
    allowed = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
