"""CloudVM on OpenStack: a Nova server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_openstack as openstack

from ..platforms.site import Site
from .args import NetworkKind, OperatingSystem, PublicAddress
from .made import Made, Wanted
from .sizes import MachineType

# How clouds call these images; each cloud has names of its own, so `vm.image` often says it.
_IMAGES = {
    OperatingSystem.ubuntu_24_04: r"(?i)^ubuntu[ _-]?(server[ _-])?(noble|24\.04).*",
    OperatingSystem.debian_12: r"(?i)^debian[ _-]?(12|bookworm).*",
    OperatingSystem.almalinux_9: r"(?i)^(almalinux|alma)[ _-]?9.*",
    OperatingSystem.rocky_9: r"(?i)^rocky(linux)?[ _-]?9.*",
}


def machine_types(site: Site) -> Iterable[MachineType] | None:
    """The flavors to pick a size from, as the cloud lists them; None where it can't be asked."""
    if not site.has_credentials:
        return None
    from ..preflight.openstack import flavors

    return flavors(site.account, site.region)


def create(name: str, wanted: Wanted, site: Site, parent: pulumi.Resource) -> Made:
    """Makes the VM, its network where it has its own, and attaches the volumes."""
    args = wanted.args
    network = _network(name, wanted, site, parent)
    image = site.looked_up(
        f"an image of {args.image or args.os.value}", lambda: _image(wanted, site)
    )
    from_volume = args.root_disk is not None
    instance = openstack.compute.Instance(
        name,
        name=site.named(name),
        flavor_name=wanted.machine_type,
        # Booting from a volume, the image belongs to the volume only.
        image_id=None if from_volume else image,
        block_devices=[
            {
                "uuid": image,
                "source_type": "image",
                "destination_type": "volume",
                "volume_size": args.root_disk,
                "boot_index": 0,
                "delete_on_termination": True,
            }
        ]
        if from_volume
        else None,
        networks=[{"port": network.port.id}] if network.port else None,
        security_groups=None if network.port else (args.network.security_groups or None),
        availability_zone=site.zone,
        user_data=wanted.user_data,
        metadata={**site.tags(name), **args.metadata},
        power_state="active",
        stop_before_destroy=True,
        region=site.region,
        opts=site.options(
            parent,
            depends_on=network.ready,
            delete_before_replace=True,  # port and disk are on one VM at a time
            # The image looks like an update in place, and wipes the root disk.
            ignore_changes=[
                "userData",
                "imageId",
                "imageName",
                "blockDevices",
                "keyPair",
                "availabilityZone",
                "metadata",
            ],
            replacement_trigger=args.rebuild,
        ),
    )
    private = instance.access_ip_v4
    if network.port:
        private = network.port.all_fixed_ips.apply(lambda known: str(known[0]))
    address, ready = _address(name, wanted, site, network, private, parent)
    return Made(
        machine=instance,
        id=instance.id,
        address=address,
        private_address=private,
        zone=instance.availability_zone,
        ready=(*ready, *_volumes(wanted, site, instance, private, parent)),
        network=network.network,
        subnet=network.subnet,
    )


@dataclass(frozen=True)
class _Network:
    """The VM's port, or none on a flat network, where the cloud gives one by itself."""

    port: openstack.networking.Port | None
    ready: list[pulumi.Resource]
    network: pulumi.Input[str] | None = None
    subnet: pulumi.Input[str] | None = None


def _network(name: str, wanted: Wanted, site: Site, parent: pulumi.Resource) -> _Network:
    args = wanted.args.network
    if args.kind is NetworkKind.flat:
        return _Network(None, [])
    common: dict[str, Any] = {"region": site.region, "opts": site.options(parent)}
    ready: list[pulumi.Resource] = []
    network, subnet = args.network, args.subnet
    if args.kind is NetworkKind.own:
        made = openstack.networking.Network(
            name, name=site.named(name), tags=_tags(site, name), **common
        )
        made_subnet = openstack.networking.Subnet(
            name, name=site.named(name), network_id=made.id, cidr=args.cidr, ip_version=4, **common
        )
        router = openstack.networking.Router(
            name,
            name=site.named(name),
            external_network_id=_external_network(wanted, site),
            tags=_tags(site, name),
            region=site.region,
            opts=site.options(parent, ignore_changes=site.guessed("externalNetworkId")),
        )
        ready = [
            openstack.networking.RouterInterface(
                name, router_id=router.id, subnet_id=made_subnet.id, **common
            )
        ]
        network, subnet = made.id, made_subnet.id
    group = _security_group(name, wanted, site, parent)
    port = openstack.networking.Port(
        name,
        name=site.named(name),
        network_id=network,
        fixed_ips=[{"subnet_id": subnet}],
        security_group_ids=[group.id, *args.security_groups],
        tags=_tags(site, name),
        **common,
    )
    return _Network(port, ready, network, subnet)


def _tags(site: Site, role: str) -> list[str]:
    return [f"{key}={value}" for key, value in sorted(site.tags(role).items())]


def _external_network(wanted: Wanted, site: Site) -> pulumi.Input[str]:
    return site.looked_up(
        f"the external network {wanted.args.network.address_pool}",
        lambda: openstack.networking.get_network_output(
            name=wanted.args.network.address_pool,
            external=True,
            region=site.region,
            opts=site.invoke_options(),
        ).id,
    )


def _security_group(
    name: str, wanted: Wanted, site: Site, parent: pulumi.Resource
) -> openstack.networking.SecGroup:
    """Its default rules let everything out; each rule in is a resource of its own."""
    group = openstack.networking.SecGroup(
        name,
        name=site.named(name),
        description=f"What may reach {site.named(name)}",
        tags=_tags(site, name),
        region=site.region,
        opts=site.options(parent),
    )
    for rule_name, rule in wanted.ingress:
        openstack.networking.SecGroupRule(
            f"{name}-{rule_name}",
            security_group_id=group.id,
            direction="ingress",
            ethertype="IPv6" if ":" in rule.source else "IPv4",
            protocol=rule.protocol.value,
            port_range_min=rule.first,
            port_range_max=rule.last,
            remote_ip_prefix=rule.source,
            description=rule.description,
            region=site.region,
            opts=site.options(parent),
        )
    return group


def _image(wanted: Wanted, site: Site) -> pulumi.Output[str]:
    args = wanted.args
    return openstack.images.get_image_output(
        name=args.image,
        name_regex=None if args.image else _IMAGES[args.os],
        most_recent=True,
        region=site.region,
        opts=site.invoke_options(),
    ).id


def _address(
    name: str,
    wanted: Wanted,
    site: Site,
    network: _Network,
    private: pulumi.Output[str],
    parent: pulumi.Resource,
) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
    if wanted.args.network.address is PublicAddress.none or not network.port:
        return private, []
    floating = openstack.networking.FloatingIp(
        name,
        pool=wanted.args.network.address_pool or "",
        description=site.named(name),
        tags=_tags(site, name),
        region=site.region,
        opts=site.options(parent),
    )
    placed = openstack.networking.FloatingIpAssociate(
        name,
        floating_ip=floating.address,
        port_id=network.port.id,
        region=site.region,
        opts=site.options(parent, depends_on=network.ready),
    )
    return floating.address, [placed]


def _volumes(
    wanted: Wanted,
    site: Site,
    instance: openstack.compute.Instance,
    address: pulumi.Output[str],
    parent: pulumi.Resource,
) -> list[pulumi.Resource]:
    ready: list[pulumi.Resource] = []
    for name, volume in wanted.volumes.items():
        if volume.made.kind == "disk":
            attached = openstack.compute.VolumeAttach(
                name,
                instance_id=instance.id,
                volume_id=volume.volume,
                region=site.region,
                opts=site.options(parent, deleted_with=instance, delete_before_replace=True),
            )
            ready.append(attached)
        elif volume.made.admit:
            ready += volume.made.admit(address)
    return ready
