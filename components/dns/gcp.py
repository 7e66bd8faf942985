"""DnsName on Google Cloud: Cloud DNS."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from ..platforms.site import Site
from .args import DnsArgs


def create(
    name: str, args: DnsArgs, address: pulumi.Output[str], site: Site, parent: pulumi.Resource
) -> None:
    """Makes the record."""
    gcp.dns.RecordSet(
        name,
        managed_zone=args.zone or "",
        name=f"{args.name}.",
        type="A",
        ttl=args.ttl,
        rrdatas=[address],
        project=site.account,
        opts=site.options(parent),
    )
