"""Where a further VM goes: onto the network of one that the stack makes already."""

from __future__ import annotations

from typing import Any

from ..platforms.site import Site
from .args import NetworkArgs, NetworkKind, PublicAddress
from .component import CloudVM


def beside(first: CloudVM, network: NetworkArgs, site: Site) -> NetworkArgs:
    """The first VM's network. An address to fetch packages from outside, as there's no other way.

    Args:
        network: how the first one's was asked for.
    """
    if network.kind is NetworkKind.flat:
        return network
    has_router = site.platform == "openstack"
    public = PublicAddress.fixed if has_router else PublicAddress.ephemeral
    reached: dict[str, Any] = {"private": True} if network.private else {"public_address": public}
    return NetworkArgs(
        kind=NetworkKind.existing,
        network=first.network,
        subnet=first.subnet,
        security_groups=network.security_groups,
        address_pool=network.address_pool,
        **reached,
    )
