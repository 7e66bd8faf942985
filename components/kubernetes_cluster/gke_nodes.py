"""Nodes of a GKE cluster: a node pool for each pool, which Google makes, scales and renews."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pulumi
import pulumi_gcp as gcp

from ..cloud_vm.kept_type import kept_type
from ..cloud_vm.sizes import MachineType, table
from ..platforms.site import Site
from ..shared_volume.gcp import labels
from .pools import PoolArgs

_Driver = gcp.container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs
_EFFECTS = {
    "NoSchedule": "NO_SCHEDULE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
    "NoExecute": "NO_EXECUTE",
}
# GKE's names of GPUs. Source: its own page on GPUs in node pools.
_GPUS = {
    "T4": "nvidia-tesla-t4",
    "V100": "nvidia-tesla-v100",
    "L4": "nvidia-l4",
    "A100": "nvidia-tesla-a100",
    "H100": "nvidia-h100-80gb",
}
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]  # the account's roles are the limit


def create(
    name: str,
    pools: Sequence[PoolArgs],
    cluster: gcp.container.Cluster,
    account: pulumi.Input[str],
    site: Site,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource],
) -> list[pulumi.Resource]:
    """Makes the pools."""
    return [
        _pool(f"{name}-{pool.name}", number, pool, cluster, account, site, parent, depends_on)
        for number, pool in enumerate(pools)
    ]


def _pool(
    name: str,
    number: int,
    pool: PoolArgs,
    cluster: gcp.container.Cluster,
    account: pulumi.Input[str],
    site: Site,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource],
) -> pulumi.Resource:
    machine_type = kept_type(
        name,
        pool.machine_type,
        pool.size,
        lambda: machine_types(site),
        f"cluster.pools.{number}",
        parent,
    )
    return gcp.container.NodePool(
        name,
        name=pool.name,
        cluster=cluster.id,
        location=site.zone or site.region,
        project=site.account,
        node_config=_node(name, pool, machine_type, account, site),
        management={"auto_repair": True, "auto_upgrade": True},
        upgrade_settings={"max_surge": 1, "max_unavailable": 0},
        opts=site.options(
            parent,
            depends_on=list(depends_on),
            ignore_changes=["initialNodeCount"],
            delete_before_replace=True,  # a name is one pool's at a time
        ),
        **_count(pool, site),
    )


def _count(pool: PoolArgs, site: Site) -> dict[str, Any]:
    """How many nodes over all zones; the number that GKE has scaled to is nobody's business.

    In a region GKE counts by zone, of which there are three, and only its autoscaler overall.
    """
    if site.zone and not pool.scales:
        return {"node_count": pool.min}
    limits = gcp.container.NodePoolAutoscalingArgs(
        total_min_node_count=pool.min,
        total_max_node_count=max(pool.most, 1),
        location_policy="ANY",
    )
    first = pool.min if site.zone else -(-pool.min // 3)
    return {"initial_node_count": first, "autoscaling": limits}


def _node(
    name: str,
    pool: PoolArgs,
    machine_type: pulumi.Output[str],
    account: pulumi.Input[str],
    site: Site,
) -> gcp.container.NodePoolNodeConfigArgs:
    return gcp.container.NodePoolNodeConfigArgs(
        machine_type=machine_type,
        disk_size_gb=pool.disk,
        image_type="COS_CONTAINERD",
        spot=pool.spot,
        labels=pool.labels,
        taints=[
            gcp.container.NodePoolNodeConfigTaintArgs(
                key=key, value=value or "", effect=_EFFECTS[effect]
            )
            for key, value, effect in pool.split_taints
        ],
        guest_accelerators=machine_type.apply(lambda known: _gpus(pool, known))
        if pool.gpus
        else None,
        service_account=account,
        oauth_scopes=SCOPES,
        # A pod sees its own account, and nothing of the node's.
        workload_metadata_config=gcp.container.NodePoolNodeConfigWorkloadMetadataConfigArgs(
            mode="GKE_METADATA"
        ),
        metadata={"disable-legacy-endpoints": "true"},
        shielded_instance_config=gcp.container.NodePoolNodeConfigShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
        resource_labels=labels(site, name),
    )


def machine_types(site: Site) -> Iterable[MachineType]:
    """The types to pick a size from: those that the volumes' kind of disk attaches to."""
    return [each for each in table(site.platform) if not each.name.startswith("n4-")]


def _gpus(
    pool: PoolArgs, machine_type: str
) -> list[gcp.container.NodePoolNodeConfigGuestAcceleratorArgs]:
    """The GPUs of the type; those of a type without GPUs of its own are attached.

    GKE keeps other pods off by itself, and brings the driver.
    """
    known = next((each for each in table("gcp") if each.name == machine_type), None)
    count = known.gpus if known and known.gpus else pool.gpus
    kind = (known.gpu_type if known else None) or pool.gpu_type or "T4"
    return [
        gcp.container.NodePoolNodeConfigGuestAcceleratorArgs(
            type=_GPUS.get(kind.upper(), kind),
            count=count,
            gpu_driver_installation_config=_Driver(gpu_driver_version="DEFAULT"),
        )
    ]
