"""Private addresses: closed to users' servers, but for those that a stack names."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

# What no machine on the internet has. In the hub image's firewall.py, too: another package.
PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
_PRIVATE = [ipaddress.IPv4Network(each) for each in PRIVATE]
_LINK_LOCAL = ipaddress.IPv4Network("169.254.0.0/16")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\Z")
_FORM = (
    "a private range like 10.1.2.0/24, or with a port 10.1.2.3:5432, or a name with a port, "
    "db.example.org:5432"
)


def is_public(address: object) -> bool:
    """Whether it is an address, known already, outside of the private ranges."""
    try:
        known = ipaddress.IPv4Network(address) if isinstance(address, str) else None
    except ValueError:
        return False
    return known is not None and not any(known.subnet_of(each) for each in _PRIVATE)


class Target(NamedTuple):
    """What may be reached: a range, or a name, at one port or all."""

    network: ipaddress.IPv4Network | None
    name: str
    port: int | None


def target(text: str) -> Target:
    """What a text means, or a ValueError."""
    where, colon, port = text.partition(":")
    number = int(port) if re.fullmatch(r"[0-9]{1,5}", port) else 0
    if colon and not 1 <= number <= 65535:
        raise ValueError(_FORM)
    try:
        return Target(ipaddress.IPv4Network(where), "", number or None)
    except ValueError:
        if not (colon and _NAME.match(where)):
            raise ValueError(_FORM) from None
        return Target(None, where, number)


def _checked(text: str) -> str:
    network = target(text).network
    if network and network.subnet_of(_LINK_LOCAL):
        raise ValueError("no link-local addresses: the cloud's metadata is closed to everybody")
    if network and not any(network.subnet_of(each) for each in _PRIVATE):
        raise ValueError("a private range: all others are open anyway, but for NFS")
    return text


Reach = Annotated[str, AfterValidator(_checked)]
