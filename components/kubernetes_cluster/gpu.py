"""GPUs of a cluster's nodes: the device plugin that offers them, and how many servers share one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..args import Args, field
from .pools import GPU, PoolArgs

if TYPE_CHECKING:
    from ..jupyterhub_host.args import JupyterHubHostArgs
    from ..jupyterhub_host.servers import LimitsArgs

_CONFIG = "shared"
# The label that the plugin's own chart looks for.
HAS_GPU = "nvidia.com/gpu.present"


class GpuArgs(Args):
    """How a cluster's GPUs are offered to servers."""

    device_plugin: bool | None = field(
        None,
        description=(
            "Install NVIDIA's device plugin, without which no server gets a GPU. Default: where a "
            "pool has GPUs and the stack makes the cluster with `k3s` or `eks`; GKE brings its own."
        ),
        change="adds or removes the plugin; servers that run keep their GPU",
    )
    time_slicing: int = field(
        1,
        ge=1,
        le=48,
        unit="servers",
        description=(
            "How many servers share one GPU, in turns. Its memory is not divided: one server can "
            "take all of it. 1: each has its own."
        ),
        change="restarts the plugin: seconds; servers that run keep their GPU",
    )
    values: dict[str, Any] = field(
        {},
        description="Values of the chart nvidia-device-plugin that have no key here; they win.",
        change="as the chart's own documentation says",
    )


def marked(pool: PoolArgs) -> PoolArgs:
    """A pool whose nodes the stack makes: those with GPUs say so."""
    if not pool.gpus:
        return pool
    return pool.model_copy(update={"labels": {HAS_GPU: "true", **pool.labels}})


def chart_values(args: GpuArgs, pools: Sequence[PoolArgs]) -> dict[str, Any]:
    """The chart's values: one pod on each node with GPUs, whatever keeps other pods off it."""
    tolerations: list[dict[str, Any]] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    for pool in _with_gpus(pools):
        tolerations += [each for each in pool.tolerations if each not in tolerations]
    nodes = {"nodeSelectorTerms": [*_terms(pools)]}
    return {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": nodes}},
        "tolerations": tolerations,
        "config": _sharing(args.time_slicing),
    }


def _terms(pools: Sequence[PoolArgs]) -> Iterator[dict[str, Any]]:
    """Any of them makes a node one with GPUs."""
    yield {"matchExpressions": [_label(HAS_GPU, "true")]}
    for pool in _with_gpus(pools):
        if pool.labels:
            yield {"matchExpressions": [_label(*each) for each in pool.labels.items()]}


def _label(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": [value]}


def _sharing(servers: int) -> dict[str, Any]:
    """A server may ask for one turn only: two would be no more of the GPU."""
    if servers == 1:
        return {"map": {}, "default": ""}
    text = (
        "version: v1\nsharing:\n  timeSlicing:\n    failRequestsGreaterThanOne: true\n"
        f"    resources:\n      - name: {GPU}\n        replicas: {servers}\n"
    )
    return {"map": {_CONFIG: text}, "default": _CONFIG}


def _with_gpus(pools: Sequence[PoolArgs]) -> list[PoolArgs]:
    return [pool for pool in pools if pool.gpus]


def servers_at_once(
    limits: LimitsArgs, pools: Sequence[PoolArgs], time_slicing: int = 1
) -> int | None:
    """How many servers of a size with GPUs there is room for; None where GPUs set no limit."""
    if not limits.gpus or not pools:
        return None
    return sum(
        (pool.most) * (pool.gpus * time_slicing // limits.gpus)
        for pool in pools
        if pool.holds(limits)
    )


def warnings(
    hub: JupyterHubHostArgs, pools: Sequence[PoolArgs], time_slicing: int = 1
) -> Iterator[str]:
    """What a class will find too small, a sentence each."""
    from ..jupyterhub_host.sizing import offered

    title, size = offered(hub)[0]
    room = servers_at_once(size, pools, time_slicing)
    if hub.class_size and room is not None and room < hub.class_size:
        yield (
            f"a class of {hub.class_size} does not fit: the pools' GPUs have room for {room} "
            f"servers of `{title}`. More nodes (max), or cluster.gpu.time_slicing, which lets "
            "several servers share one"
        )
