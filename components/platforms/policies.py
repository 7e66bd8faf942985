"""Rules of network policies: where pods in which users' code runs may go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pulumi

from .reach import PRIVATE, is_public, target

Rule = dict[str, Any]
_DNS = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
_SYSTEM = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}


def ways_out(reach: Sequence[str], mounts: Sequence[pulumi.Input[str] | None] = ()) -> list[Rule]:
    """The internet first, then what is named.

    Args:
        reach: private addresses; of names a policy knows nothing.
        mounts: servers of NFS, wherever they are. One that has a name is taken to be private.
    """
    closed = [*PRIVATE, *(f"{each}/32" for each in mounts if is_public(each))]
    internet = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": closed}}]}
    return [internet, *(rule for each in reach for rule in _way_to(each))]


def names() -> Rule:
    """Where names are looked up: in the cluster, or by a server of the site's own."""
    private = [{"ipBlock": {"cidr": each}} for each in PRIVATE]
    return {"to": [_SYSTEM, *private], "ports": _DNS}


def _way_to(reach: str) -> Iterator[Rule]:
    network, _, port = target(reach)
    if network:
        to: Rule = {"to": [{"ipBlock": {"cidr": str(network)}}]}
        ports = [{"port": port, "protocol": protocol} for protocol in ("TCP", "UDP")]
        yield to | ({"ports": ports} if port else {})
