"""DnsName on AWS: Route 53."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from ..platforms.site import Site
from .args import DnsArgs


def create(
    name: str, args: DnsArgs, address: pulumi.Output[str], site: Site, parent: pulumi.Resource
) -> None:
    """Makes the record."""
    aws.route53.Record(
        name,
        zone_id=args.zone or "",
        name=args.name or "",
        type="A",
        ttl=args.ttl,
        records=[address],
        opts=site.options(parent),
    )
