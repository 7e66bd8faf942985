"""Whether the hub's name points to the hub."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit


def trouble(url: str, address: str | None) -> str | None:
    """What is wrong with the name in a URL, with the way out; nothing where it is right.

    Args:
        address: the hub's machine; None: this one.
    """
    name = urlsplit(url).hostname or ""
    if name == "localhost" or _is_address(name):
        return None
    there = address or "this machine's public address"
    found = _lookup(name)
    if not found:
        return (
            f"{name} has no address yet. Make a DNS record for it (type A) that says {there}; a "
            "certificate comes by itself then"
        )
    if any(_is_right(each, address) for each in found):
        return None
    return (
        f"{name} points to {', '.join(found)}, and the hub is at {there}. Change the DNS record; a "
        "certificate comes by itself then"
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _lookup(name: str) -> list[str]:
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None)})
    except OSError:
        return []


def _is_right(found: str, address: str | None) -> bool:
    """Behind a router this machine can't know its public address: then any that isn't private."""
    if address is not None:
        return found == address or not _is_address(address)
    if ipaddress.ip_address(found).is_global:
        return True
    family = socket.AF_INET6 if ":" in found else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((found, 0))
        except OSError:
            return False
    return True
