"""The network of an EKS cluster."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..cloud_vm.aws import own_subnet, own_vpc, routes_outside
from ..platforms.site import Site

RANGE = "10.30.0.0/16"
_OUTSIDE = "10.30.0.0/22"
_NODES = "10.30.64.0/18"  # pods have addresses of it, too: 16,000
_OTHER = "10.30.128.0/24"
# Zones where EKS has no control plane. Source: EKS's own page on network requirements.
_WITHOUT_EKS = ["use1-az3", "usw1-az2", "cac1-az3"]


@dataclass(frozen=True)
class Network:
    """Where control plane and nodes are.

    Attributes:
        nodes: subnet of the nodes, in the stack's zone, as disks are. Nobody outside reaches it.
        other: subnet in another zone, in which only the control plane is: EKS wants two.
        outside: subnet of load balancers.
        reached: load balancers are reached from outside.
        way_out: nodes reach the internet.
    """

    vpc: aws.ec2.Vpc
    nodes: aws.ec2.Subnet
    other: aws.ec2.Subnet
    outside: aws.ec2.Subnet
    reached: pulumi.Resource
    way_out: pulumi.Resource


def create(name: str, cluster: str, site: Site, parent: pulumi.Resource) -> Network:
    """Makes it. Nodes are in one zone: disks are, too, and traffic between zones costs."""
    vpc = own_vpc(name, RANGE, site, parent)
    ours = {f"kubernetes.io/cluster/{cluster}": "shared"}  # how AWS finds subnets for Services
    public, private = ours | {"kubernetes.io/role/elb": "1"}, ours
    routes = routes_outside(name, vpc, site, parent)
    outside, reached = own_subnet(
        f"{name}-outside", vpc, _OUTSIDE, site.zone, routes, site, parent, public
    )
    through = _translated(name, vpc, outside, reached, site, parent)
    nodes, way_out = own_subnet(
        f"{name}-nodes", vpc, _NODES, site.zone, through, site, parent, private
    )
    other = aws.ec2.Subnet(
        f"{name}-other",
        vpc_id=vpc.id,
        cidr_block=_OTHER,
        availability_zone=_other_zone(site),
        tags=site.tags(f"{name}-other"),
        region=site.region,
        # The zone that is there stays, whichever the cloud would name first today.
        opts=site.options(parent, ignore_changes=["availabilityZone"]),
    )
    return Network(vpc, nodes, other, outside, reached, way_out)


def _translated(
    name: str,
    vpc: aws.ec2.Vpc,
    outside: aws.ec2.Subnet,
    reached: pulumi.Resource,
    site: Site,
    parent: pulumi.Resource,
) -> aws.ec2.RouteTable:
    """Routes of nodes: out by a NAT gateway, and no way in."""
    tags = site.tags(f"{name}-out")
    address = aws.ec2.Eip(
        f"{name}-out", domain="vpc", tags=tags, region=site.region, opts=site.options(parent)
    )
    gateway = aws.ec2.NatGateway(
        f"{name}-out",
        allocation_id=address.allocation_id,
        subnet_id=outside.id,
        tags=tags,
        region=site.region,
        opts=site.options(parent, depends_on=[reached]),
    )
    return aws.ec2.RouteTable(
        f"{name}-out",
        vpc_id=vpc.id,
        routes=[{"cidr_block": "0.0.0.0/0", "nat_gateway_id": gateway.id}],
        tags=tags,
        region=site.region,
        opts=site.options(parent),
    )


def _other_zone(site: Site) -> pulumi.Input[str]:
    return site.looked_up(
        "another zone of the region",
        lambda: aws.get_availability_zones_output(
            state="available",
            exclude_names=[str(site.zone)],
            exclude_zone_ids=_WITHOUT_EKS,
            filters=[{"name": "zone-type", "values": ["availability-zone"]}],
            region=site.region,
            opts=site.invoke_options(),
        ).names.apply(lambda names: names[0]),
    )
