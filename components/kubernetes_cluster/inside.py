"""What a managed cluster needs inside before a hub: a way in, and a class of volumes that stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from ..platforms.kubernetes import LABEL, KubernetesCluster
from ..platforms.site import Site

KEPT_CLASS = "kept"
_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def inside(
    name: str, kubeconfig: pulumi.Output[str], site: Site, parent: pulumi.Resource
) -> KubernetesCluster:
    """The cluster's own namespace. Its provider is apart from the hub's, which waits for what is
    made with this one."""
    provider = kubernetes.Provider(
        f"{name}-inside",
        kubeconfig=kubeconfig,
        # Only another cluster is another provider.
        cluster_identifier=f"{site.deployment}-inside",
        upsert_existing_objects=True,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return KubernetesCluster(site.deployment, "kube-system", provider, kubeconfig)


def kept_class(
    name: str,
    cluster: KubernetesCluster,
    parent: pulumi.Resource,
    *,
    provisioner: str,
    parameters: Mapping[str, str],
    is_default: bool,
    depends_on: Sequence[pulumi.Resource] = (),
) -> pulumi.Resource:
    """The class of volumes that outlive their claims.

    A claim, a namespace or a whole cluster that is deleted leaves the disk in the cloud, where it
    carries the stack's label. It is made in the zone of the pod that uses it first.
    """
    made: pulumi.Resource = kubernetes.storage.v1.StorageClass(
        f"{name}-kept",
        metadata={
            "name": KEPT_CLASS,
            "labels": {f"{LABEL}/deployment": cluster.deployment},
            "annotations": {_DEFAULT: "true"} if is_default else {},
        },
        provisioner=provisioner,
        parameters=dict(parameters),
        reclaim_policy="Retain",
        volume_binding_mode="WaitForFirstConsumer",
        allow_volume_expansion=True,
        opts=pulumi.ResourceOptions.merge(
            cluster.options(parent), pulumi.ResourceOptions(depends_on=list(depends_on))
        ),
    )
    return made
