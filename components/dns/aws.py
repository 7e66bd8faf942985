"""DnsName on AWS: Route 53."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from ..platforms.site import Site
from .args import DnsArgs, FailoverRole

_PATH = "/hub/health"  # answered without a login, and only by a hub that works
_SILENCES = 3  # that count as down


def create(
    name: str, args: DnsArgs, address: pulumi.Output[str], site: Site, parent: pulumi.Resource
) -> None:
    """Makes the record; with a failover the primary's goes while it doesn't answer."""
    aws.route53.Record(
        name,
        zone_id=args.zone or "",
        name=args.name or "",
        type="A",
        ttl=args.ttl,
        records=[address],
        **_failover(name, args, address, site, parent),
        # A name has records with a failover, or one without.
        opts=site.options(parent, delete_before_replace=True),
    )


def _failover(
    name: str, args: DnsArgs, address: pulumi.Output[str], site: Site, parent: pulumi.Resource
) -> dict[str, Any]:
    if not args.failover:
        return {}
    role = args.failover.role
    asked = _health(name, args, address, site, parent) if role is FailoverRole.primary else None
    return {
        "set_identifier": site.deployment,
        "failover_routing_policies": [{"type": role.value.upper()}],
        **({"health_check_id": asked.id} if asked else {}),
    }


def _health(
    name: str, args: DnsArgs, address: pulumi.Output[str], site: Site, parent: pulumi.Resource
) -> aws.route53.HealthCheck:
    """Asks the address for the name, from several places of the world."""
    assert args.failover
    return aws.route53.HealthCheck(
        f"{name}-health",
        type="HTTPS",
        ip_address=address,
        fqdn=args.name,
        port=args.failover.port,
        resource_path=_PATH,
        request_interval=args.failover.every,
        failure_threshold=_SILENCES,
        tags=site.tags("dns"),
        opts=site.options(parent),
    )
