"""What a managed cluster needs inside before a hub: a way in, and classes of volumes that stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from ..platforms.kubernetes import LABEL, KubernetesCluster
from ..platforms.site import Site

# Of volumes for one node at a time, and for many.
KEPT_CLASS, SHARED_CLASS = "kept", "shared"
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
    return KubernetesCluster(site.deployment, "kube-system", provider, kubeconfig, is_own=True)


def storage_class(
    name: str,
    called: str,
    cluster: KubernetesCluster,
    parent: pulumi.Resource,
    *,
    provisioner: str,
    parameters: Mapping[str, pulumi.Input[str]],
    is_default: bool = False,
    depends_on: Sequence[pulumi.Resource] = (),
) -> pulumi.Resource:
    """A class of volumes that outlive their claims.

    A claim, a namespace or a whole cluster that is deleted leaves the data in the cloud, under the
    stack's label. A volume is made where the pod is that uses it first.
    """
    made: pulumi.Resource = kubernetes.storage.v1.StorageClass(
        f"{name}-{called}",
        metadata={
            "name": called,
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
