"""What every platform file of TraefikProxy returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi


@dataclass(frozen=True)
class Made:
    """A proxy, and how a hub gets behind it.

    Attributes:
        container: name of the container, or of the chart's release.
        address: where browsers find it, as far as it is known without a name of its own.
        routes_volume: volume that a hub writes its routes to, on a Docker engine.
        ingress: the section `ingress` of the hub's chart, in Kubernetes.
    """

    container: pulumi.Output[str]
    address: pulumi.Input[str]
    routes_volume: pulumi.Output[str] | None = None
    ingress: Mapping[str, Any] = field(default_factory=dict)
