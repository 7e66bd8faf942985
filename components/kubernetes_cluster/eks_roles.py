"""What the parts of an EKS cluster may do in AWS: a role each, with AWS's own policies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from ..platforms.site import Site

# Of the control plane, of nodes (to join, to pull images, to give pods addresses), of volumes.
CONTROL_PLANE = ("AmazonEKSClusterPolicy",)
NODES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEKS_CNI_Policy",
)
DISKS = ("service-role/AmazonEBSCSIDriverPolicy",)
FILES = ("service-role/AmazonEFSCSIDriverPolicy",)


@dataclass(frozen=True)
class Role:
    """A role, and what has to be there before it can do anything."""

    role: aws.iam.Role
    ready: list[pulumi.Resource]


def for_service(
    name: str, service: str, policies: Sequence[str], site: Site, parent: pulumi.Resource
) -> Role:
    """A role that a service of AWS takes: `eks`, `ec2`."""
    return _role(name, service, ["sts:AssumeRole"], policies, site, parent)


def for_pods(name: str, policies: Sequence[str], site: Site, parent: pulumi.Resource) -> Role:
    """A role that the pods of one service account take."""
    actions = ["sts:AssumeRole", "sts:TagSession"]
    return _role(name, "pods.eks", actions, policies, site, parent)


def for_autoscaler(
    name: str, cluster: pulumi.Output[str], site: Site, parent: pulumi.Resource
) -> Role:
    """May look at all groups, and change those of this cluster only."""
    made = for_pods(name, (), site, parent)
    policy = aws.iam.RolePolicy(
        name, role=made.role.id, policy=cluster.apply(_may_scale), opts=site.options(parent)
    )
    return Role(made.role, [policy])


def _role(
    name: str,
    service: str,
    actions: Sequence[str],
    policies: Sequence[str],
    site: Site,
    parent: pulumi.Resource,
) -> Role:
    who = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}}
    trust = {"Version": "2012-10-17", "Statement": [{**who, "Action": list(actions)}]}
    common: dict[str, Any] = {"opts": site.options(parent)}
    role = aws.iam.Role(name, assume_role_policy=json.dumps(trust), tags=site.tags(name), **common)
    attached: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy.rsplit('/', 1)[-1]}",
            role=role.name,
            policy_arn=f"arn:{_partition(site)}:iam::aws:policy/{policy}",
            **common,
        )
        for policy in policies
    ]
    return Role(role, attached)


def _partition(site: Site) -> str:
    """AWS's own part for China, and the one for the US government."""
    region = site.region or ""
    parts = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((part for start, part in parts.items() if region.startswith(start)), "aws")


def _may_scale(cluster: str) -> str:
    """What the autoscaler's own documentation asks for."""
    looks = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "autoscaling:DescribeTags",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements",
        "eks:DescribeNodegroup",
    ]
    ours = {"StringEquals": {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{cluster}": "owned"}}
    changes = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": looks, "Resource": "*"},
        {"Effect": "Allow", "Action": changes, "Resource": "*", "Condition": ours},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
