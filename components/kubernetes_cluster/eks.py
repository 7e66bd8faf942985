"""A cluster on EKS: AWS keeps the control plane, and its nodes are groups of EC2 instances."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from ..platforms.charts import CHARTS, release
from ..platforms.kubernetes import KubernetesCluster
from ..platforms.site import LABEL, Site
from . import eks_network, eks_nodes, eks_roles
from .eks_network import Network
from .inside import KEPT_CLASS, inside, kept_class
from .kubeconfig import kubeconfig, needs_program
from .made import Made, Wanted

# Of a new cluster. One that is there is upgraded by `version`, or by AWS when its time is over.
_VERSION = "1.35"
_LOGS = ["audit", "authenticator"]
_DAYS = 30  # that they are kept
# AWS's own parts of a cluster. Nodes wait for these,
_NODES_NEED: Mapping[str, dict[str, Any]] = {
    "vpc-cni": {"enableNetworkPolicy": "true"},
    "kube-proxy": {},
    "eks-pod-identity-agent": {},
}
# and these wait for nodes by themselves.
_PODS_NEED = ("coredns", "metrics-server")
_DISKS, _DISKS_ACCOUNT = "aws-ebs-csi-driver", "ebs-csi-controller-sa"
_AUTOSCALER = "cluster-autoscaler"


def create(name: str, wanted: Wanted, site: Site | None, parent: pulumi.Resource) -> Made:
    """Makes network, control plane, nodes and what has to be inside.

    What has data in the cluster keeps all that it waits for. So that is the control plane, and
    neither nodes nor their way out: a destroy takes those away while volumes are protected.
    """
    assert site and site.zone, "EKS is in a zone of AWS"
    needs_program("aws", "the AWS CLI, version 2")
    network = eks_network.create(name, site.named(name), site, parent)
    cluster = _cluster(name, wanted, network, site, parent)
    text = _kubeconfig(cluster, site)
    first = [
        _addon(name, addon, cluster, site, parent, values=values)
        for addon, values in _NODES_NEED.items()
    ]
    then = [
        *(_addon(name, addon, cluster, site, parent) for addon in _PODS_NEED),
        _disks(name, cluster, site, parent),
    ]
    place = eks_nodes.Place(
        site.named(name),
        cluster.name,
        wanted.args.version,
        network.nodes.id,
        [*first, network.way_out],
    )
    nodes = eks_nodes.create(name, wanted.args.pools, place, site, parent)
    system = inside(name, text, site, parent)
    if any(pool.scales for pool in wanted.args.pools):
        _autoscaler(name, cluster, system, site, parent, nodes)
    volumes = kept_class(
        name,
        system,
        parent,
        provisioner="ebs.csi.aws.com",
        parameters={
            "type": "gp3",
            "encrypted": "true",
            "tagSpecification_1": f"{LABEL}-deployment={site.deployment}",
        },
        is_default=True,
        depends_on=then,
    )
    ready = [cluster, network.reached, *first, *then, volumes]
    return Made(text, ready, cluster.endpoint.apply(lambda url: [url]), KEPT_CLASS)


def _cluster(
    name: str, wanted: Wanted, network: Network, site: Site, parent: pulumi.Resource
) -> aws.eks.Cluster:
    """The control plane. Its data is encrypted by a key of AWS's: EKS does so by itself."""
    args = wanted.args
    role = eks_roles.for_service(f"{name}-control", "eks", eks_roles.CONTROL_PLANE, site, parent)
    logs = aws.cloudwatch.LogGroup(
        f"{name}-logs",
        name=f"/aws/eks/{site.named(name)}/cluster",  # EKS's own name, so that it makes none
        retention_in_days=_DAYS,
        tags=site.tags(f"{name}-logs"),
        region=site.region,
        opts=site.options(parent),
    )
    return aws.eks.Cluster(
        name,
        name=site.named(name),
        role_arn=role.role.arn,
        version=args.version or _VERSION,
        vpc_config={
            "subnet_ids": [network.nodes.id, network.other.id],
            "endpoint_private_access": True,
            "endpoint_public_access": True,
            "public_access_cidrs": list(args.api_from),
        },
        # Whoever makes it may do anything in it; others come in by access entries.
        access_config={
            "authentication_mode": "API",
            "bootstrap_cluster_creator_admin_permissions": True,
        },
        bootstrap_self_managed_addons=False,
        enabled_cluster_log_types=_LOGS,
        # AWS upgrades it in time, where the other kind of support costs six times as much.
        upgrade_policy={"support_type": "STANDARD"},
        tags=site.tags(name),
        region=site.region,
        opts=site.options(
            parent,
            depends_on=[*role.ready, logs],
            ignore_changes=[] if args.version else ["version"],
        ),
    )


def _addon(
    name: str,
    addon: str,
    cluster: aws.eks.Cluster,
    site: Site,
    parent: pulumi.Resource,
    values: Mapping[str, Any] | None = None,
    **more: Any,
) -> pulumi.Resource:
    return aws.eks.Addon(
        f"{name}-{addon}",
        cluster_name=cluster.name,
        addon_name=addon,
        configuration_values=json.dumps(values) if values else None,
        resolve_conflicts_on_create="OVERWRITE",
        resolve_conflicts_on_update="OVERWRITE",
        tags=site.tags(f"{name}-{addon}"),
        region=site.region,
        opts=site.options(parent, **more.pop("options", {})),
        **more,
    )


def _disks(
    name: str, cluster: aws.eks.Cluster, site: Site, parent: pulumi.Resource
) -> pulumi.Resource:
    """Volumes on EBS, by a role that only the driver's own pods take."""
    role = eks_roles.for_pods(f"{name}-disks", eks_roles.DISKS, site, parent)
    return _addon(
        name,
        _DISKS,
        cluster,
        site,
        parent,
        pod_identity_associations=[{"role_arn": role.role.arn, "service_account": _DISKS_ACCOUNT}],
        options={"depends_on": role.ready},
    )


def _autoscaler(
    name: str,
    cluster: aws.eks.Cluster,
    system: KubernetesCluster,
    site: Site,
    parent: pulumi.Resource,
    nodes: list[pulumi.Resource],
) -> None:
    """Adds nodes for pods that wait, and removes empty ones. EKS tags the groups that it finds."""
    role = eks_roles.for_autoscaler(f"{name}-autoscaler", cluster.name, site, parent)
    may = aws.eks.PodIdentityAssociation(
        f"{name}-autoscaler",
        cluster_name=cluster.name,
        namespace=system.namespace,
        service_account=_AUTOSCALER,
        role_arn=role.role.arn,
        tags=site.tags(f"{name}-autoscaler"),
        region=site.region,
        opts=site.options(parent, depends_on=role.ready),
    )
    release(
        "autoscaler",
        system,
        parent,
        chart=CHARTS[_AUTOSCALER],
        values={
            "fullnameOverride": _AUTOSCALER,
            "cloudProvider": "aws",
            "awsRegion": site.region,
            "autoDiscovery": {"clusterName": cluster.name},
            "rbac": {"serviceAccount": {"name": _AUTOSCALER}},
            # A node with nothing but the cluster's own pods is an empty one.
            "extraArgs": {"skip-nodes-with-system-pods": False, "expander": "least-waste"},
        },
        depends_on=[may, *nodes],
    )


def _kubeconfig(cluster: aws.eks.Cluster, site: Site) -> pulumi.Output[str]:
    authority = cluster.certificate_authority.apply(lambda known: str(known.data))
    known = pulumi.Output.all(cluster.name, cluster.endpoint, authority)
    return pulumi.Output.secret(
        known.apply(lambda each: kubeconfig(*map(str, each), "aws", _login(str(each[0]), site)))
    )


def _login(cluster: str, site: Site) -> list[str]:
    where = ["--region", site.region] if site.region else []
    return [*where, "eks", "get-token", "--cluster-name", cluster, "--output", "json"]
