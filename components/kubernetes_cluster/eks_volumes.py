"""Volumes of an EKS cluster."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from ..platforms.kubernetes import KubernetesCluster
from ..platforms.site import LABEL, Site
from ..shared_volume.args import SharedVolumeArgs, VolumeKind
from ..shared_volume.component import SharedVolume
from . import eks_roles
from .eks_addons import addon
from .eks_network import RANGE, Network
from .inside import KEPT_CLASS, SHARED_CLASS, storage_class

# Who files in shared folders belong to: the user of the library's own images.
_OWNER = {"uid": "1000", "gid": "100"}


def create(
    name: str,
    cluster: aws.eks.Cluster,
    network: Network,
    system: KubernetesCluster,
    site: Site,
    parent: pulumi.Resource,
) -> list[pulumi.Resource]:
    """Disks (EBS) for one node at a time, and a file system (EFS) for folders that all share."""
    whose = f"{LABEL}-deployment={site.deployment}"
    disks = storage_class(
        name,
        KEPT_CLASS,
        system,
        parent,
        provisioner="ebs.csi.aws.com",
        parameters={"type": "gp3", "encrypted": "true", "tagSpecification_1": whose},
        is_default=True,
        depends_on=[_driver(name, "ebs", eks_roles.DISKS, cluster, site, parent)],
    )
    system_of_files = SharedVolume(
        f"{name}-files",
        SharedVolumeArgs(kind=VolumeKind.filesystem),
        site,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    assert system_of_files.made.admit
    doors = system_of_files.made.admit(network.nodes.id, network.vpc.id, RANGE)
    files = storage_class(
        name,
        SHARED_CLASS,
        system,
        parent,
        provisioner="efs.csi.aws.com",
        parameters={
            "provisioningMode": "efs-ap",
            "fileSystemId": system_of_files.volume,
            "directoryPerms": "755",
            **_OWNER,
            # The same claim finds the same folder, also in another cluster.
            "subPathPattern": "${.PVC.namespace}/${.PVC.name}",
            "ensureUniqueDirectory": "false",
        },
        depends_on=[*doors, _driver(name, "efs", eks_roles.FILES, cluster, site, parent)],
    )
    return [disks, files]


def _driver(
    name: str,
    kind: str,
    policies: Sequence[str],
    cluster: aws.eks.Cluster,
    site: Site,
    parent: pulumi.Resource,
) -> pulumi.Resource:
    """AWS's driver for a kind of volume, with a role that only its own pods take."""
    role = eks_roles.for_pods(f"{name}-{kind}", policies, site, parent)
    account = {"role_arn": role.role.arn, "service_account": f"{kind}-csi-controller-sa"}
    return addon(
        name,
        f"aws-{kind}-csi-driver",
        cluster,
        site,
        parent,
        pod_identity_associations=[account],
        depends_on=role.ready,
    )
