"""Args of a cluster's node pools: nodes of one size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from ..args import Args, Bytes, field

if TYPE_CHECKING:
    from ..jupyterhub_host.servers import LimitsArgs

_IN_PLACE = "in place; servers that run stay where they are"
GPU = "nvidia.com/gpu"


class PoolArgs(Args):
    """Nodes of one size, of which there may be more or fewer."""

    name: str = field(
        pattern=r"^[a-z][a-z0-9-]{0,30}$", description="Name of the pool.", change="another pool"
    )
    cpus: int = field(2, ge=1, le=1024, description="Cores of a node.", change="replaces its nodes")
    memory: Bytes = field(
        "8G",
        ge=1024**3,
        unit="bytes, or text like `8G`",
        description="Memory of a node.",
        change="replaces its nodes",
    )
    gpus: int = field(0, ge=0, le=16, description="GPUs of a node.", change="replaces its nodes")
    labels: dict[str, str] = field(
        {}, description="Labels of its nodes, which servers may ask for.", change=_IN_PLACE
    )
    taints: list[str] = field(
        [],
        description="Taints that keep other pods off, as `key=value:NoSchedule`.",
        change=_IN_PLACE,
    )
    min: int = field(1, ge=0, le=1000, description="Nodes at least.", change=_IN_PLACE)
    max: int = field(
        1, ge=1, le=1000, description="Nodes at most; more than `min` scales.", change=_IN_PLACE
    )
    spot: bool = field(
        False,
        description="Cheaper nodes that the cloud may take away, with the servers on them.",
        change="replaces its nodes",
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min > self.max:
            raise ValueError("min must not be above max")
        for taint in self.taints:
            key, _, effect = taint.rpartition(":")
            if not key or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
                raise ValueError(f"taint `{taint}` is not like gpu=yes:NoSchedule")
        return self

    @property
    def node_labels(self) -> dict[str, str]:
        """Labels that only its nodes have."""
        return self.labels or {"pulumi-jupyterhub/pool": self.name}

    @property
    def tolerations(self) -> list[dict[str, Any]]:
        """What a pod has to bear to run on its nodes."""
        own = [_toleration(taint) for taint in self.taints]
        gpu = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
        return [*own, *([gpu] if self.gpus else [])]

    def holds(self, limits: LimitsArgs) -> bool:
        """Whether one server of this size fits on an empty node."""
        return (
            limits.gpus <= self.gpus
            and limits.cpu_guarantee <= self.cpus
            and int(limits.memory_guarantee) <= int(self.memory)
        )


def _toleration(taint: str) -> dict[str, Any]:
    pair, _, effect = taint.rpartition(":")
    key, equals, value = pair.partition("=")
    how: dict[str, Any] = (
        {"operator": "Equal", "value": value} if equals else {"operator": "Exists"}
    )
    return {"key": key, "effect": effect, **how}
