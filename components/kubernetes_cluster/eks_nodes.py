"""Nodes of an EKS cluster: a group for each pool, which AWS makes and renews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..cloud_vm.kept_type import kept_type
from ..cloud_vm.sizes import table
from ..platforms.site import Site
from . import eks_roles
from .pools import GPU, PoolArgs

_EFFECTS = {
    "NoSchedule": "NO_SCHEDULE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
    "NoExecute": "NO_EXECUTE",
}


@dataclass(frozen=True)
class Place:
    """What all groups of a cluster have in common.

    Attributes:
        cluster: its name, as it will be.
        joined: its name, once it is there.
        version: of Kubernetes, where the stack file says one.
        ready: groups wait for these.
    """

    cluster: str
    joined: pulumi.Input[str]
    version: str | None
    subnet: pulumi.Input[str]
    ready: Sequence[pulumi.Resource]


def create(
    name: str, pools: Sequence[PoolArgs], place: Place, site: Site, parent: pulumi.Resource
) -> list[pulumi.Resource]:
    """Makes the groups. They may join, pull images and give pods addresses, and nothing else."""
    role = eks_roles.for_service(f"{name}-nodes", "ec2", eks_roles.NODES, site, parent)
    return [
        _group(f"{name}-{pool.name}", number, pool, place, role, site, parent)
        for number, pool in enumerate(pools)
    ]


def _group(
    name: str,
    number: int,
    pool: PoolArgs,
    place: Place,
    role: eks_roles.Role,
    site: Site,
    parent: pulumi.Resource,
) -> pulumi.Resource:
    template = _template(name, number, pool, site, parent)
    desired, ignored = _desired(pool, _running(place.cluster, pool, site))
    return aws.eks.NodeGroup(
        name,
        cluster_name=place.joined,
        node_group_name=pool.name,
        node_role_arn=role.role.arn,
        subnet_ids=[place.subnet],
        version=place.version,
        ami_type=_image(pool),
        capacity_type="SPOT" if pool.spot else "ON_DEMAND",
        launch_template={"id": template.id, "version": template.latest_version.apply(str)},
        scaling_config={
            "min_size": pool.min,
            "max_size": max(pool.most, 1),
            "desired_size": desired,
        },
        update_config={"max_unavailable": 1},
        labels=pool.labels,
        taints=_taints(pool),
        tags=site.tags(name),
        region=site.region,
        opts=site.options(
            parent,
            depends_on=[*place.ready, *role.ready],
            ignore_changes=ignored,
            delete_before_replace=True,  # a name is one group's at a time
        ),
    )


def _template(
    name: str, number: int, pool: PoolArgs, site: Site, parent: pulumi.Resource
) -> aws.ec2.LaunchTemplate:
    """What a node is like. A new version of it renews the nodes one by one."""
    machine_type = kept_type(
        name,
        pool.machine_type,
        pool.size,
        lambda: table(site.platform),
        f"cluster.pools.{number}",
        parent,
    )
    return aws.ec2.LaunchTemplate(
        name,
        instance_type=machine_type,
        block_device_mappings=[
            {
                "device_name": "/dev/xvda",
                "ebs": {
                    "volume_size": pool.disk,
                    "volume_type": "gp3",
                    "encrypted": "true",
                    "delete_on_termination": "true",
                },
            }
        ],
        # Version 2 only, and not from inside a pod: a node's rights are none of its users'.
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
        },
        tag_specifications=[
            {"resource_type": kind, "tags": site.tags(name)} for kind in ("instance", "volume")
        ],
        tags=site.tags(name),
        region=site.region,
        opts=site.options(parent),
    )


def _image(pool: PoolArgs) -> str:
    """The kind of AWS's own image, Amazon Linux; the one for GPUs has NVIDIA's driver."""
    arches = {each.name: each.arch for each in table("aws")}
    arm = arches.get(pool.machine_type or "") == "arm64"
    return f"AL2023_{'ARM_64' if arm else 'x86_64'}_{'NVIDIA' if pool.gpus else 'STANDARD'}"


def _taints(pool: PoolArgs) -> list[aws.eks.NodeGroupTaintArgs]:
    """The pool's own; and what has no use for GPUs stays off nodes that have some."""
    gpu = [(GPU, "present", "NoSchedule")] if pool.gpus else []
    return [
        aws.eks.NodeGroupTaintArgs(key=key, value=value, effect=_EFFECTS[effect])
        for key, value, effect in [*gpu, *pool.split_taints]
    ]


def _desired(pool: PoolArgs, running: int | None) -> tuple[int, list[str]]:
    """How many nodes there should be now, and what of that is nobody's business here.

    The autoscaler's number stays while it is within the limits. New limits that it is outside of
    go to AWS together with a number inside of them: it takes no others.
    """
    if not pool.scales:
        return pool.min, []
    if running is None or pool.min <= running <= pool.most:
        return pool.min if running is None else running, ["scalingConfig.desiredSize"]
    return min(max(running, pool.min), pool.most), []


def _running(cluster: str, pool: PoolArgs, site: Site) -> int | None:
    """How many nodes the autoscaler wants now; None where that can't be known."""
    if not (pool.scales and site.has_credentials):
        return None
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    patience = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 1})
    try:
        eks = boto3.client("eks", region_name=site.region, config=patience)
        group = eks.describe_nodegroup(clusterName=cluster, nodegroupName=pool.name)["nodegroup"]
    except (BotoCoreError, ClientError):  # there is none yet, or nobody to ask
        return None
    return int(group["scalingConfig"]["desiredSize"])
