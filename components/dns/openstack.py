"""DnsName on OpenStack: Designate."""

from __future__ import annotations

import pulumi
import pulumi_openstack as openstack

from ..platforms.site import Site
from .args import DnsArgs


def create(
    name: str, args: DnsArgs, address: pulumi.Output[str], site: Site, parent: pulumi.Resource
) -> None:
    """Makes the record."""
    openstack.dns.RecordSet(
        name,
        zone_id=args.zone or "",
        name=f"{args.name}.",
        type="A",
        ttl=args.ttl,
        records=[address],
        region=site.region,
        opts=site.options(parent),
    )
