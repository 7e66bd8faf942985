"""DnsName: the name that browsers use for an address."""

from __future__ import annotations

import re

import pulumi

from ..platforms.pick import pick
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
        own = pulumi.Output.from_input(args.name)
        self.name = pulumi.Output.all(own, address).apply(
            lambda known: known[0] or name_for(args, known[1])
        )
        if args.kind is DnsKind.managed:
            assert site
            pick(__package__, site.platform).create(name, args, address, site, self)
        self.register_outputs({"name": self.name})


def name_for(args: DnsArgs, address: str) -> str:
    """The name of an address where there is none of one's own: `203-0-113-7.sslip.io`."""
    is_address = re.fullmatch(r"[0-9.]+|[0-9a-f:]+", address)
    if args.kind is DnsKind.none or not is_address:
        return address
    return f"{re.sub(r'[.:]', '-', address)}.{args.service}"
