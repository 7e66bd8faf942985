"""Addresses in a network's range."""

from __future__ import annotations

import ipaddress


def gateway_of(subnet: str) -> str:
    """The host's address on a network: the first of its range."""
    return address_in(subnet, 1)


def address_in(subnet: str, index: int) -> str:
    """The address at a place in a range."""
    return str(ipaddress.ip_network(subnet)[index])


def upper_half(subnet: str) -> str:
    """The second half of a range."""
    return str(list(ipaddress.ip_network(subnet).subnets())[-1])
