"""Args of a cluster's node pools: nodes of one size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from ..args import Args, Bytes, field

if TYPE_CHECKING:
    from ..jupyterhub_host.servers import LimitsArgs

_NEXT = "servers that start from then on; ones that run stay where they are"
GPU = "nvidia.com/gpu"


class PoolArgs(Args):
    """Nodes of one size that the cluster has, or would add."""

    name: str = field(
        pattern=r"^[a-z][a-z0-9-]{0,30}$", description="Name of the pool.", change=_NEXT
    )
    cpus: int = field(2, ge=1, le=1024, description="Cores of a node.", change=_NEXT)
    memory: Bytes = field(
        "8G",
        ge=1024**3,
        unit="bytes, or text like `8G`",
        description="Memory of a node.",
        change=_NEXT,
    )
    gpus: int = field(0, ge=0, le=16, description="GPUs of a node.", change=_NEXT)
    labels: dict[str, str] = field(
        {}, description="Labels of its nodes, which servers may ask for.", change=_NEXT
    )
    taints: list[str] = field(
        [],
        description="Taints that keep other pods off, as `key=value:NoSchedule`.",
        change=_NEXT,
    )

    @model_validator(mode="after")
    def _taints_are_read(self) -> Self:
        for taint in self.taints:
            key, _, effect = taint.rpartition(":")
            if not key or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
                raise ValueError(f"taint `{taint}` is not like gpu=yes:NoSchedule")
        return self

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
