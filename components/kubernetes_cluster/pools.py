"""Args of a cluster's node pools: nodes of one size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from ..args import Args, Bytes, field
from ..cloud_vm.args import SizeArgs

if TYPE_CHECKING:
    from ..jupyterhub_host.servers import LimitsArgs

_NEXT = "servers that start from then on; ones that run stay where they are"
_ANEW = "makes the pool's nodes anew, one by one; users' servers on them stop"
_AT_ONCE = "makes all nodes of the pool anew at once, with all that runs there: take a new pool"
GPU = "nvidia.com/gpu"


class PoolArgs(Args):
    """Nodes of one size that the cluster has, or gets."""

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
    gpu_type: str | None = field(
        None,
        description="Name of the GPU: `T4`, `L4`, `A100`. Default: the cheapest that there is.",
        change=_AT_ONCE,
    )
    machine_type: str | None = field(
        None,
        description="The cloud's own name of a type (flavor), instead of the smallest that fits.",
        change=_ANEW + "; another kind of processor: all at once",
    )
    disk: int = field(
        100,
        ge=20,
        le=16384,
        unit="GiB",
        description="Root disk of a node, which holds container images.",
        change=_ANEW,
    )
    min: int = field(
        1,
        ge=0,
        le=1000,
        description="Nodes at least. 0: the first user of the pool waits for a node (EKS, GKE).",
        change="adds nodes, or removes what is empty",
    )
    max: int | None = field(
        None,
        ge=1,
        le=1000,
        description=(
            "Nodes at most, where the platform scales by itself (EKS, GKE). Default: `min`, and "
            "nothing scales."
        ),
        change="in place",
    )
    spot: bool = field(
        False,
        description="Cheaper nodes that the cloud may take away (AWS, GCP): for Dask, not users.",
        change=_AT_ONCE,
    )
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

    @model_validator(mode="after")
    def _max_is_no_less(self) -> Self:
        if self.max is not None and self.max < self.min:
            raise ValueError(f"max is {self.max}, less than min, which is {self.min}")
        return self

    @model_validator(mode="after")
    def _gpu_type_with_gpus(self) -> Self:
        if self.gpu_type and not self.gpus:
            raise ValueError("gpu_type goes with gpus: 1 or more")
        return self

    @property
    def most(self) -> int:
        """Nodes at most."""
        return self.min if self.max is None else self.max

    @property
    def scales(self) -> bool:
        """Whether the number of its nodes changes by itself."""
        return self.most > self.min

    @property
    def for_all(self) -> bool:
        """Whether it always has a node that takes any pod, as the cluster's own."""
        return self.min > 0 and not (self.taints or self.gpus or self.spot)

    @property
    def size(self) -> SizeArgs:
        """What a node needs at least, for the tables of machine types."""
        return SizeArgs(cpus=self.cpus, memory=self.memory, gpus=self.gpus, gpu_type=self.gpu_type)

    @property
    def tolerations(self) -> list[dict[str, Any]]:
        """What a pod has to bear to run on its nodes."""
        own = [_toleration(*taint) for taint in self.split_taints]
        gpu = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
        return [*own, *([gpu] if self.gpus else [])]

    @property
    def split_taints(self) -> list[tuple[str, str | None, str]]:
        """Its taints as key, value and effect."""
        return [_split(taint) for taint in self.taints]

    def holds(self, limits: LimitsArgs) -> bool:
        """Whether one server of this size fits on an empty node."""
        return (
            limits.gpus <= self.gpus
            and limits.cpu_guarantee <= self.cpus
            and int(limits.memory_guarantee) <= int(self.memory)
        )


def _split(taint: str) -> tuple[str, str | None, str]:
    pair, _, effect = taint.rpartition(":")
    key, equals, value = pair.partition("=")
    return key, value if equals else None, effect


def _toleration(key: str, value: str | None, effect: str) -> dict[str, Any]:
    how: dict[str, Any] = (
        {"operator": "Exists"} if value is None else {"operator": "Equal", "value": value}
    )
    return {"key": key, "effect": effect, **how}
