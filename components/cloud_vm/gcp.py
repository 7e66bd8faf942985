"""CloudVM on Google Cloud: a Compute Engine instance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp

from ..platforms.site import Site
from ..shared_volume.args import VolumeKind
from ..shared_volume.gcp import labels
from .args import Arch, NetworkKind, OperatingSystem, PublicAddress
from .made import Made, Wanted
from .sizes import MachineType, table

_ROOT_DISK = 40  # GiB
# Image families. Source: cloud.google.com/compute/docs/images/os-details.
_IMAGES = {
    OperatingSystem.ubuntu_24_04: (
        "ubuntu-os-cloud",
        "ubuntu-2404-lts-amd64",
        "ubuntu-2404-lts-arm64",
    ),
    OperatingSystem.debian_12: ("debian-cloud", "debian-12", "debian-12-arm64"),
    OperatingSystem.almalinux_9: ("almalinux-cloud", "almalinux-9", "almalinux-9-arm64"),
    OperatingSystem.rocky_9: ("rocky-linux-cloud", "rocky-linux-9", "rocky-linux-9-arm64"),
}
# Debian's and AlmaLinux's images come without cloud-init. Installed, it reads the same user data.
_START = """#!/bin/bash
command -v cloud-init >/dev/null && exit 0
if command -v apt-get >/dev/null; then
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y cloud-init
else
    dnf -y install cloud-init
fi
systemctl enable cloud-init-local cloud-init cloud-config cloud-final
reboot
"""


def machine_types(site: Site) -> Iterable[MachineType] | None:
    """The types to pick a size from."""
    return table(site.platform)


def create(name: str, wanted: Wanted, site: Site, parent: pulumi.Resource) -> Made:
    """Makes the VM, its network where it has its own, and attaches the volumes."""
    args = wanted.args
    network = _network(name, wanted, site, parent)
    rules = _firewall(name, wanted, site, network, parent)
    fixed = _fixed_address(name, wanted, site, parent)
    interface: Any = {"subnetwork": network.subnet}
    if args.network.address is not PublicAddress.none:
        interface["access_configs"] = [{"nat_ip": fixed.address if fixed else None}]
    instance = gcp.compute.Instance(
        name,
        name=site.named(name),
        machine_type=wanted.machine_type,
        zone=site.zone,
        project=site.account,
        boot_disk=_boot_disk(wanted),
        network_interfaces=[interface],
        tags=[site.named(name)],
        labels=labels(site, name),
        metadata=wanted.user_data.apply(
            lambda data: {
                **args.metadata,
                "user-data": data,
                "user-data-encoding": "base64",
                "startup-script": _START,
                "enable-oslogin": "FALSE",
                "block-project-ssh-keys": "TRUE",
            }
        ),
        service_account=_service_account(name, wanted, site, parent),
        scheduling=_scheduling(wanted),
        shielded_instance_config={
            "enable_secure_boot": args.secure_boot,
            "enable_vtpm": True,
            "enable_integrity_monitoring": True,
        },
        deletion_protection=args.deletion_protection,
        allow_stopping_for_update=True,
        desired_status="RUNNING",
        opts=site.options(
            parent,
            depends_on=rules,
            delete_before_replace=True,  # a name and a disk are on one VM at a time
            ignore_changes=[
                "bootDisk",
                "metadata",
                "attachedDisks",
                "scheduling",
                "shieldedInstanceConfig",
            ],
            replacement_trigger=args.rebuild,
        ),
    )
    first = instance.network_interfaces.apply(lambda known: known[0])
    private = first.apply(lambda known: str(known.network_ip))
    address = fixed.address if fixed else private
    if args.network.address is PublicAddress.ephemeral:
        address = first.apply(lambda known: str((known.access_configs or [])[0].nat_ip))
    return Made(
        machine=instance,
        id=instance.instance_id,
        address=address,
        private_address=private,
        zone=instance.zone,
        ready=tuple(_volumes(wanted, site, instance, parent)),
        network=network.network,
        subnet=network.subnet,
    )


@dataclass(frozen=True)
class _Network:
    network: pulumi.Input[str]
    subnet: pulumi.Input[str]


def _network(name: str, wanted: Wanted, site: Site, parent: pulumi.Resource) -> _Network:
    args = wanted.args.network
    if args.kind is NetworkKind.existing:
        assert args.network and args.subnet
        return _Network(args.network, args.subnet)
    common: dict[str, Any] = {"project": site.account, "opts": site.options(parent)}
    network = gcp.compute.Network(
        name, name=site.named(name), auto_create_subnetworks=False, **common
    )
    subnet = gcp.compute.Subnetwork(
        name,
        name=site.named(name),
        network=network.id,
        ip_cidr_range=args.cidr,
        region=site.region,
        **common,
    )
    return _Network(network.id, subnet.id)


def _firewall(
    name: str, wanted: Wanted, site: Site, network: _Network, parent: pulumi.Resource
) -> list[pulumi.Resource]:
    """A rule each; the cloud closes everything else."""
    return [
        gcp.compute.Firewall(
            f"{name}-{rule_name}",
            name=_short(site.named(f"{name}-{rule_name}")),
            network=network.network,
            allows=[
                {
                    "protocol": rule.protocol.value,
                    "ports": [
                        str(rule.first) if rule.first == rule.last else f"{rule.first}-{rule.last}"
                    ],
                }
            ],
            source_ranges=[rule.source],
            target_tags=[site.named(name)],
            description=rule.description or None,
            project=site.account,
            opts=site.options(parent),
        )
        for rule_name, rule in wanted.ingress
    ]


def _short(name: str) -> str:
    """A name as this cloud takes it: 63 characters, no dots."""
    return name.replace(".", "-")[:63].rstrip("-")


def _boot_disk(wanted: Wanted) -> Any:
    parameters = {
        "image": wanted.args.image or _image(wanted),
        "size": wanted.args.root_disk or _ROOT_DISK,
        "type": "pd-balanced",
    }
    return {"initialize_params": parameters}


def _image(wanted: Wanted) -> str:
    project, family, suffixes = _IMAGES[wanted.args.os]
    suffix = suffixes[0 if wanted.args.size.arch is Arch.x86_64 else 1]
    return f"projects/{project}/global/images/family/{family}{suffix}"


def _fixed_address(
    name: str, wanted: Wanted, site: Site, parent: pulumi.Resource
) -> gcp.compute.Address | None:
    if wanted.args.network.address is not PublicAddress.fixed:
        return None
    return gcp.compute.Address(
        name,
        name=site.named(name),
        region=site.region,
        project=site.account,
        labels=labels(site, name),
        opts=site.options(parent),
    )


def _scheduling(wanted: Wanted) -> Any:
    if wanted.args.spot:
        return {
            "provisioning_model": "SPOT",
            "preemptible": True,
            "automatic_restart": False,
            "instance_termination_action": "STOP",
        }
    movable = "TERMINATE" if wanted.args.size.gpus else "MIGRATE"
    return {"automatic_restart": True, "on_host_maintenance": movable}


def _service_account(name: str, wanted: Wanted, site: Site, parent: pulumi.Resource) -> Any:
    """An account that may use the stack's buckets, and nothing else; none without buckets."""
    buckets = {n: v for n, v in wanted.volumes.items() if v.args.kind is VolumeKind.bucket}
    if not buckets:
        return None
    account = gcp.serviceaccount.Account(
        name,
        account_id=site.named(name)[:30].rstrip("-"),
        project=site.account,
        opts=site.options(parent),
    )
    for bucket_name, bucket in buckets.items():
        gcp.storage.BucketIAMMember(
            f"{name}-{bucket_name}",
            bucket=bucket.volume,
            role="roles/storage.objectUser",
            member=account.email.apply("serviceAccount:{}".format),
            opts=site.options(parent),
        )
    return {"email": account.email, "scopes": ["cloud-platform"]}


def _volumes(
    wanted: Wanted, site: Site, instance: gcp.compute.Instance, parent: pulumi.Resource
) -> list[pulumi.Resource]:
    return [
        gcp.compute.AttachedDisk(
            name,
            disk=volume.volume,
            instance=instance.id,
            device_name=volume.volume,  # seen as /dev/disk/by-id/google-<this>
            zone=site.zone,
            project=site.account,
            opts=site.options(parent, deleted_with=instance, delete_before_replace=True),
        )
        for name, volume in wanted.volumes.items()
        if volume.made.kind == "disk"
    ]
