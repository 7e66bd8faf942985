"""A cluster on EKS: AWS keeps the control plane, and its nodes are groups of EC2 instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from ..platforms.charts import CHARTS, release
from ..platforms.kubernetes import KubernetesCluster
from ..platforms.site import Site
from . import eks_network, eks_nodes, eks_roles, eks_volumes
from .eks_addons import addon
from .eks_network import Network
from .inside import KEPT_CLASS, inside
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
        addon(name, part, cluster, site, parent, values=values)
        for part, values in _NODES_NEED.items()
    ]
    then = [addon(name, part, cluster, site, parent) for part in _PODS_NEED]
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
    volumes = eks_volumes.create(name, cluster, network, system, site, parent)
    ready = [cluster, network.reached, *first, *then, *volumes]
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
        f"{name}-scaler",
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
    where = ["--region", site.region] if site.region else []

    def login(name: str) -> list[str]:
        return ["aws", *where, "eks", "get-token", "--cluster-name", name, "--output", "json"]

    authority = cluster.certificate_authority.apply(lambda known: str(known.data))
    return kubeconfig(cluster.name, cluster.endpoint, authority, login)
