"""CloudVM on AWS: an EC2 instance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from ..platforms.site import Site
from ..shared_volume.args import VolumeKind
from .args import Arch, NetworkKind, OperatingSystem, PublicAddress
from .made import Made, Wanted
from .sizes import MachineType, table

_ROOT_DISK = 40  # GiB
# Who publishes the images, and how they are named. Sources: the distributions' own pages on
# cloud images (Ubuntu: documentation.ubuntu.com/aws, Debian: wiki.debian.org/Cloud/AmazonEC2Image,
# AlmaLinux: wiki.almalinux.org/cloud/AWS, Rocky: rockylinux.org/download).
_IMAGES = {
    OperatingSystem.ubuntu_24_04: (
        "099720109477",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{}-server-*",
        ("amd64", "arm64"),
    ),
    OperatingSystem.debian_12: ("136693071363", "debian-12-{}-*", ("amd64", "arm64")),
    OperatingSystem.almalinux_9: ("764336703387", "AlmaLinux OS 9*{}", ("x86_64", "aarch64")),
    OperatingSystem.rocky_9: ("792107900819", "Rocky-9-EC2-Base-9.*.{}", ("x86_64", "aarch64")),
}


def machine_types(site: Site) -> Iterable[MachineType] | None:
    """The types to pick a size from."""
    return table(site.platform)


def create(name: str, wanted: Wanted, site: Site, parent: pulumi.Resource) -> Made:
    """Makes the VM, its network where it has its own, and attaches the volumes."""
    args = wanted.args
    network = _network(name, wanted, site, parent)
    group = _security_group(name, wanted, site, network.vpc, parent)
    public = args.network.address is not PublicAddress.none
    instance = aws.ec2.Instance(
        name,
        ami=args.image or _image(wanted, site),
        instance_type=wanted.machine_type,
        subnet_id=network.subnet,
        vpc_security_group_ids=[group.id, *args.network.security_groups],
        associate_public_ip_address=public,  # also before a fixed one is there: it installs things
        user_data_base64=wanted.user_data,
        root_block_device={
            "volume_size": args.root_disk or _ROOT_DISK,
            "volume_type": "gp3",
            "encrypted": True,
        },
        # Version 2 only, and not from inside a container.
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
        },
        iam_instance_profile=_profile(name, wanted, site, parent),
        instance_market_options={"market_type": "spot"} if args.spot else None,
        disable_api_termination=args.deletion_protection,
        tags=site.tags(name),
        region=site.region,
        opts=site.options(
            parent,
            depends_on=network.ready,
            delete_before_replace=True,  # a disk is on one VM at a time
            ignore_changes=["ami", "userDataBase64", "instanceMarketOptions"],
            replacement_trigger=args.rebuild,
        ),
    )
    address, ready = _address(name, wanted, site, instance, parent)
    return Made(
        machine=instance,
        id=instance.id,
        address=address,
        private_address=instance.private_ip,
        zone=instance.availability_zone,
        ready=(*ready, *_volumes(wanted, site, instance, network, parent)),
        network=network.vpc,
        subnet=network.subnet,
    )


@dataclass(frozen=True)
class _Network:
    vpc: pulumi.Input[str]
    subnet: pulumi.Input[str]
    cidr: pulumi.Input[str]
    ready: list[pulumi.Resource]


def _network(name: str, wanted: Wanted, site: Site, parent: pulumi.Resource) -> _Network:
    args = wanted.args.network
    if args.kind is NetworkKind.existing:
        assert args.network and args.subnet
        subnet = site.looked_up(
            "the subnet's range",
            lambda: aws.ec2.get_subnet_output(
                id=args.subnet, region=site.region, opts=site.invoke_options()
            ).cidr_block,
        )
        return _Network(args.network, args.subnet, subnet, [])
    made = own_vpc(name, args.cidr, site, parent)
    outside = routes_outside(name, made, site, parent)
    own, way_out = own_subnet(name, made, args.cidr, site.zone, outside, site, parent)
    return _Network(made.id, own.id, args.cidr, [way_out])


def own_vpc(name: str, cidr: pulumi.Input[str], site: Site, parent: pulumi.Resource) -> aws.ec2.Vpc:
    """A network of the stack's own."""
    return aws.ec2.Vpc(
        name,
        cidr_block=cidr,
        enable_dns_hostnames=True,
        tags=site.tags(name),
        region=site.region,
        opts=site.options(parent),
    )


def routes_outside(
    name: str, network: aws.ec2.Vpc, site: Site, parent: pulumi.Resource
) -> aws.ec2.RouteTable:
    """The routes of a subnet that is reached from outside, where addresses are public."""
    common: dict[str, Any] = {
        "tags": site.tags(name),
        "region": site.region,
        "opts": site.options(parent),
    }
    gateway = aws.ec2.InternetGateway(name, vpc_id=network.id, **common)
    return aws.ec2.RouteTable(
        name,
        vpc_id=network.id,
        routes=[{"cidr_block": "0.0.0.0/0", "gateway_id": gateway.id}],
        **common,
    )


def own_subnet(
    name: str,
    network: aws.ec2.Vpc,
    cidr: pulumi.Input[str],
    zone: pulumi.Input[str] | None,
    routes: aws.ec2.RouteTable,
    site: Site,
    parent: pulumi.Resource,
    tags: Mapping[str, str] | None = None,
    **options: Any,
) -> tuple[aws.ec2.Subnet, aws.ec2.RouteTableAssociation]:
    """A subnet, and its routes."""
    made = aws.ec2.Subnet(
        name,
        vpc_id=network.id,
        cidr_block=cidr,
        availability_zone=zone,
        tags={**site.tags(name), **(tags or {})},
        region=site.region,
        opts=site.options(parent, **options),
    )
    way = aws.ec2.RouteTableAssociation(
        name,
        subnet_id=made.id,
        route_table_id=routes.id,
        region=site.region,
        opts=site.options(parent),
    )
    return made, way


def _security_group(
    name: str, wanted: Wanted, site: Site, vpc: pulumi.Input[str], parent: pulumi.Resource
) -> aws.ec2.SecurityGroup:
    """The rules are resources of their own, so that one comes or goes alone."""
    group = aws.ec2.SecurityGroup(
        name,
        description=f"What may reach {site.named(name)}",
        vpc_id=vpc,
        tags=site.tags(name),
        region=site.region,
        opts=site.options(parent),
    )
    for rule_name, rule in wanted.ingress:
        six = ":" in rule.source
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-{rule_name}",
            security_group_id=group.id,
            ip_protocol=rule.protocol.value,
            from_port=rule.first,
            to_port=rule.last,
            cidr_ipv4=None if six else rule.source,
            cidr_ipv6=rule.source if six else None,
            description=rule.description or None,
            tags=site.tags(f"{name}-{rule_name}"),
            region=site.region,
            opts=site.options(parent),
        )
    aws.vpc.SecurityGroupEgressRule(
        f"{name}-out",
        security_group_id=group.id,
        ip_protocol="-1",
        cidr_ipv4="0.0.0.0/0",
        tags=site.tags(f"{name}-out"),
        region=site.region,
        opts=site.options(parent),
    )
    return group


def _image(wanted: Wanted, site: Site) -> pulumi.Input[str]:
    owner, pattern, arches = _IMAGES[wanted.args.os]
    arch = arches[0 if wanted.args.size.arch is Arch.x86_64 else 1]
    return site.looked_up(
        f"the newest image of {wanted.args.os.value}",
        lambda: aws.ec2.get_ami_output(
            owners=[owner],
            most_recent=True,
            filters=[
                {"name": "name", "values": [pattern.format(arch)]},
                {"name": "architecture", "values": [wanted.args.size.arch.value]},
            ],
            region=site.region,
            opts=site.invoke_options(),
        ).id,
    )


def _profile(
    name: str, wanted: Wanted, site: Site, parent: pulumi.Resource
) -> pulumi.Output[str] | None:
    """A role that may use the stack's buckets, and nothing else; none without buckets."""
    buckets = [v for v in wanted.volumes.values() if v.args.kind is VolumeKind.bucket]
    if not buckets:
        return None
    service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}
    trust = {"Version": "2012-10-17", "Statement": [service | {"Action": "sts:AssumeRole"}]}
    common: dict[str, Any] = {"opts": site.options(parent)}
    role = aws.iam.Role(name, assume_role_policy=json.dumps(trust), tags=site.tags(name), **common)
    aws.iam.RolePolicy(
        name,
        role=role.id,
        policy=pulumi.Output.all(*(bucket.volume for bucket in buckets)).apply(_bucket_policy),
        **common,
    )
    return aws.iam.InstanceProfile(name, role=role.name, tags=site.tags(name), **common).name


def _bucket_policy(buckets: list[str]) -> str:
    objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    statements = [
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
            "Resource": [f"arn:aws:s3:::{bucket}" for bucket in buckets],
        },
        {
            "Effect": "Allow",
            "Action": objects,
            "Resource": [f"arn:aws:s3:::{bucket}/*" for bucket in buckets],
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _address(
    name: str, wanted: Wanted, site: Site, instance: aws.ec2.Instance, parent: pulumi.Resource
) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
    kind = wanted.args.network.address
    if kind is PublicAddress.none:
        return instance.private_ip, []
    if kind is PublicAddress.ephemeral:
        return instance.public_ip, []
    fixed = aws.ec2.Eip(
        name, domain="vpc", tags=site.tags(name), region=site.region, opts=site.options(parent)
    )
    placed = aws.ec2.EipAssociation(
        name,
        allocation_id=fixed.allocation_id,
        instance_id=instance.id,
        region=site.region,
        opts=site.options(parent, deleted_with=instance),
    )
    return fixed.public_ip, [placed]


def _volumes(
    wanted: Wanted,
    site: Site,
    instance: aws.ec2.Instance,
    network: _Network,
    parent: pulumi.Resource,
) -> list[pulumi.Resource]:
    ready: list[pulumi.Resource] = []
    letters = iter("fghijklmnop")  # what AWS recommends for data disks
    for name, volume in wanted.volumes.items():
        if volume.made.kind == "disk":
            attached = aws.ec2.VolumeAttachment(
                name,
                device_name=f"/dev/sd{next(letters)}",
                volume_id=volume.volume,
                instance_id=instance.id,
                stop_instance_before_detaching=True,
                region=site.region,
                opts=site.options(parent, deleted_with=instance, delete_before_replace=True),
            )
            ready.append(attached)
        elif volume.made.admit:
            ready += volume.made.admit(network.subnet, network.vpc, network.cidr)
    return ready
