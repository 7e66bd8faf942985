"""A cluster on GKE: Google keeps the control plane, and its nodes are node pools."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp

from ..platforms.kubernetes import KubernetesCluster
from ..platforms.site import LABEL, Site
from ..shared_volume.gcp import labels
from . import gke_nodes
from .inside import KEPT_CLASS, SHARED_CLASS, inside, storage_class
from .kubeconfig import kubeconfig, needs_program
from .made import Made, Wanted

_NODES = "10.30.0.0/20"
_PODS = "10.64.0.0/14"  # 256 addresses for each node: 1,024 nodes
_SERVICES = "10.68.0.0/20"
_NIGHT = "01:00"  # UTC, when Google may upgrade
# What nodes may do: log, be watched, and pull the project's own images.
_ROLES = ("roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader")


def create(name: str, wanted: Wanted, site: Site | None, parent: pulumi.Resource) -> Made:
    """Makes network, control plane, nodes and what has to be inside.

    What has data in the cluster keeps all that it waits for. So that is the control plane, and
    neither nodes nor their way out: a destroy takes those away while volumes are protected.
    """
    assert site and site.region, "GKE is in a region of Google's"
    needs_program("gke-gcloud-auth-plugin", "the Google Cloud CLI, as a component of that name")
    network = _network(name, site, parent)
    account, may = _account(name, site, parent)
    cluster = _cluster(name, wanted, network, account, site, parent)
    text = _kubeconfig(cluster)
    out = _way_out(name, network, site, parent)
    gke_nodes.create(name, wanted.args.pools, cluster, account.email, site, parent, [*may, *out])
    volumes = _volumes(name, network, inside(name, text, site, parent), site, parent)
    address = cluster.endpoint.apply(lambda known: [known])
    return Made(text, [cluster, *volumes], address, KEPT_CLASS)


def _volumes(
    name: str, network: _Network, system: KubernetesCluster, site: Site, parent: pulumi.Resource
) -> list[pulumi.Resource]:
    """Disks for one node at a time, and file systems (Filestore) for folders that all share."""
    whose = f"{LABEL}-deployment={site.deployment.lower()}"
    disks = storage_class(
        name,
        KEPT_CLASS,
        system,
        parent,
        provisioner="pd.csi.storage.gke.io",
        parameters={"type": "pd-balanced", "labels": whose},
    )
    files = storage_class(
        name,
        SHARED_CLASS,
        system,
        parent,
        provisioner="filestore.csi.storage.gke.io",
        parameters={"tier": "standard", "network": network.network.name, "labels": whose},
    )
    return [disks, files]


@dataclass(frozen=True)
class _Network:
    network: gcp.compute.Network
    subnet: gcp.compute.Subnetwork


def _network(name: str, site: Site, parent: pulumi.Resource) -> _Network:
    """A network of its own; pods and services have ranges in it."""
    common: dict[str, Any] = {"project": site.account, "opts": site.options(parent)}
    network = gcp.compute.Network(
        name, name=site.named(name), auto_create_subnetworks=False, **common
    )
    subnet = gcp.compute.Subnetwork(
        name,
        name=site.named(name),
        network=network.id,
        ip_cidr_range=_NODES,
        secondary_ip_ranges=[
            {"range_name": "pods", "ip_cidr_range": _PODS},
            {"range_name": "services", "ip_cidr_range": _SERVICES},
        ],
        private_ip_google_access=True,
        region=site.region,
        **common,
    )
    return _Network(network, subnet)


def _way_out(
    name: str, network: _Network, site: Site, parent: pulumi.Resource
) -> Sequence[pulumi.Resource]:
    """Nodes have no address outside: out by Cloud NAT, and no way in."""
    common: dict[str, Any] = {"project": site.account, "opts": site.options(parent)}
    router = gcp.compute.Router(
        f"{name}-out",
        name=site.named(f"{name}-out"),
        network=network.network.id,
        region=site.region,
        **common,
    )
    nat = gcp.compute.RouterNat(
        f"{name}-out",
        name=site.named(f"{name}-out"),
        router=router.name,
        region=site.region,
        nat_ip_allocate_option="AUTO_ONLY",
        source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
        subnetworks=[{"name": network.subnet.id, "source_ip_ranges_to_nats": ["ALL_IP_RANGES"]}],
        **common,
    )
    return [nat]


def _account(
    name: str, site: Site, parent: pulumi.Resource
) -> tuple[gcp.serviceaccount.Account, list[pulumi.Resource]]:
    """The nodes' own account, in place of the project's, which may do almost anything."""
    account = gcp.serviceaccount.Account(
        name,
        account_id=_short(site.named(name), 30),
        display_name=f"Nodes of {site.named(name)}",
        project=site.account,
        opts=site.options(parent),
    )
    may: list[pulumi.Resource] = [
        gcp.projects.IAMMember(
            f"{name}-{role.rsplit('.', 1)[-1]}",
            project=account.project,
            role=role,
            member=account.email.apply("serviceAccount:{}".format),
            opts=site.options(parent),
        )
        for role in _ROLES
    ]
    return account, may


def _cluster(
    name: str,
    wanted: Wanted,
    network: _Network,
    account: gcp.serviceaccount.Account,
    site: Site,
    parent: pulumi.Resource,
) -> gcp.container.Cluster:
    """The control plane: of a zone where the stack has one, else of the region."""
    args = wanted.args
    return gcp.container.Cluster(
        name,
        name=_short(site.named(name), 40),
        location=site.zone or site.region,
        project=site.account,
        min_master_version=args.version,
        release_channel={"channel": "REGULAR"},
        maintenance_policy={"daily_maintenance_window": {"start_time": _NIGHT}},
        network=network.network.id,
        subnetwork=network.subnet.id,
        networking_mode="VPC_NATIVE",
        ip_allocation_policy={
            "cluster_secondary_range_name": "pods",
            "services_secondary_range_name": "services",
        },
        datapath_provider="ADVANCED_DATAPATH",  # it enforces network policies
        private_cluster_config={"enable_private_nodes": True, "enable_private_endpoint": False},
        master_authorized_networks_config={
            "cidr_blocks": [{"cidr_block": cidr} for cidr in args.api_from],
            "gcp_public_cidrs_access_enabled": False,
        },
        workload_identity_config={"workload_pool": account.project.apply("{}.svc.id.goog".format)},
        enable_shielded_nodes=True,
        # Pools are resources of their own, so that one comes or goes alone. GKE wants one to
        # begin with: it is gone when the cluster is there.
        remove_default_node_pool=True,
        initial_node_count=1,
        node_config={"service_account": account.email, "oauth_scopes": gke_nodes.SCOPES},
        # Folders for many nodes at once, by Filestore.
        addons_config={"gcp_filestore_csi_driver_config": {"enabled": True}},
        resource_labels=labels(site, name),
        # Pulumi's own protection of volumes keeps it: this one would stop every destroy.
        deletion_protection=False,
        opts=site.options(parent, ignore_changes=["nodeConfig", "initialNodeCount"]),
    )


def _kubeconfig(cluster: gcp.container.Cluster) -> pulumi.Output[str]:
    """By the credentials that make the cluster, which need not be those of `gcloud auth login`."""
    login = ["gke-gcloud-auth-plugin", "--use_application_default_credentials"]
    authority = cluster.master_auth.apply(lambda known: str(known.cluster_ca_certificate))
    server = cluster.endpoint.apply("https://{}".format)
    return kubeconfig(cluster.name, server, authority, lambda name: login)


def _short(name: str, limit: int) -> str:
    """A name that this cloud takes, and that no other stack's becomes when it is cut."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 7].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
