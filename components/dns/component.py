"""DnsName: the name that browsers use for an address."""

from __future__ import annotations

import re
from importlib import import_module

import pulumi

from ..platforms.site import Site
from .args import DnsArgs, DnsKind


class DnsName(pulumi.ComponentResource):
    """A name for a machine: your own, a wildcard service's, or the address itself.

    Args:
        site: the cloud whose DNS is used, with kind `managed`.

    Attributes:
        name: the name, known once the address is.
    """

    name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: DnsArgs,
        address: pulumi.Output[str],
        site: Site | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:DnsName", name, {}, opts)
        self.name = address.apply(lambda at: name_for(args, at))
        if args.kind is DnsKind.managed:
            assert site
            import_module(f".{site.platform}", __package__).create(name, args, address, site, self)
        self.register_outputs({"name": self.name})


def name_for(args: DnsArgs, address: str) -> str:
    """The name of an address: `203-0-113-7.sslip.io` without a name of one's own."""
    if args.name:
        return args.name
    is_address = re.fullmatch(r"[0-9.]+|[0-9a-f:]+", address)
    if args.kind is DnsKind.none or not is_address:
        return address
    return f"{re.sub(r'[.:]', '-', address)}.{args.service}"
