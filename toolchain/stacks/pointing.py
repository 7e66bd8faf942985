"""Whether the hub's name points to the hub."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..setup.steps import Problem
from . import state as states
from .machine import Machine

_PROXY = "jupyterhub:index:TraefikProxy"


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a name, with the way out.

    Attributes:
        is_sure: nobody else can see it otherwise, as behind a router or with a DNS of one's own.
    """

    text: str
    is_sure: bool = False


def trouble(url: str, address: str | None) -> str | None:
    """What is wrong with the name in a URL, with the way out; nothing where it is right.

    Args:
        address: the hub's machine; None: this one.
    """
    name = urlsplit(url).hostname or ""
    found = None if name == "localhost" or _is_address(name) else _of(name, address)
    return found.text if found else None


def beforehand(facts: Mapping[str, Any], state: Mapping[str, Any]) -> list[Trouble]:
    """What is wrong with the stack file's names, as far as the hub's address is known by now."""
    machine = Machine.of(state) if facts["has_fixed_address"] else None
    address = machine.address if machine else facts["address"]
    is_here = str(facts["docker"]).startswith("unix://")
    if address is None and not is_here:
        return []
    return [found for name in facts["names"] if (found := _of(name, address))]


def require(facts: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Says what is wrong with the names, and stops where an `up` would be in vain.

    That is a first one, with a name that can't be right: Let's Encrypt would be asked in vain, and
    after five times not answer for an hour. A hub that is there is never held up by its name.
    """
    found = beforehand(facts, state)
    is_first = not any(r["type"] == _PROXY for r in states.resources(state))
    if is_first and facts["asks_lets_encrypt"] and any(each.is_sure for each in found):
        raise Problem(
            "\n".join(each.text for each in found)
            + "\nNothing was made: Let's Encrypt would be asked in vain. To go on all the same: "
            "jupyterhub:proxy.tls.staging: true, until the name is right."
        )
    for each in found:
        print(f"  ! {each.text}", flush=True)


def _of(name: str, address: str | None) -> Trouble | None:
    there = address or "this machine's public address"
    found = _lookup(name)
    if found is None:
        return Trouble(f"{name} can't be looked up: no DNS answers here")
    if not found:
        return Trouble(
            f"{name} has no address yet. Make a DNS record for it (type A) that says {there}; a "
            "certificate comes by itself then",
            is_sure=True,
        )
    if any(_is_right(each, address) for each in found):
        return None
    return Trouble(
        f"{name} points to {', '.join(found)}, and the hub is at {there}. Change the DNS record; a "
        "certificate comes by itself then",
        is_sure=address is not None and any(_is_rival(each, address) for each in found),
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_rival(found: str, address: str) -> bool:
    """Whether both are public, and so can't be one machine's inner and outer address."""
    one, other = ipaddress.ip_address(found), ipaddress.ip_address(address)
    return one.version == other.version and one.is_global and other.is_global


def _lookup(name: str) -> list[str] | None:
    """A name's addresses; None where nobody answers."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None)})
    except socket.gaierror as error:
        return None if error.errno == socket.EAI_AGAIN else []


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
