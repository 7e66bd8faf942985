"""The hub on a Docker engine: the same on this machine, on a VM and on any host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components import (
    BucketAccess,
    BucketArgs,
    BucketKind,
    Buckets,
    DaskCluster,
    DockerHost,
    ImageStore,
    JupyterHubHost,
    SharedVolume,
    TraefikProxy,
    WorkerMachines,
)
from components.config import StackConfig
from components.dask_cluster.args import for_notebooks
from components.jupyterhub_host.args import JupyterHubHostArgs

from .machines import workers_at
from .outputs import outputs
from .preflight import warn_of_files, warn_of_origin, warn_of_size


def compose(
    stack: str,
    config: StackConfig,
    host: DockerHost,
    kept: Mapping[str, SharedVolume],
    made: Mapping[str, SharedVolume] | None = None,
    machines: WorkerMachines | None = None,
) -> dict[str, Any]:
    """Makes proxy, hub, Dask and the mounts of buckets, and returns the hub's outputs.

    `made` are buckets of the stack's own cloud.
    """
    warn_of_size(config)
    warn_of_files(config)
    warn_of_origin(config)
    images = ImageStore(host, config.egress)
    wanted = _buckets(config, made or {})
    uploads = kept["uploads"]
    buckets = Buckets("buckets", wanted, host, images, uploads, made) if wanted else None
    proxy = TraefikProxy("proxy", config.proxy, host, images, kept["certificates"])
    hub = JupyterHubHost(
        "hub",
        _hub_args(config, machines),
        config.secrets,
        host,
        images,
        proxy,
        kept,
        buckets=buckets,
    )
    if config.dask:
        DaskCluster("dask", config.dask, host, images, hub, kept["shared"], machines)
    return outputs(stack, config, hub)


def _buckets(config: StackConfig, made: Iterable[str]) -> dict[str, BucketArgs]:
    """The stack file's buckets. One that the stack makes is everybody's, where it says no more."""
    everybodys = BucketArgs(kind=BucketKind.volume, access=BucketAccess.shared, writable=True)
    return dict.fromkeys(made, everybodys) | config.hub.files.buckets


def _hub_args(config: StackConfig, machines: WorkerMachines | None) -> JupyterHubHostArgs:
    """The hub's args, which know of the Dask cluster where there is one."""
    if not config.dask:
        return config.hub
    environment, ports = for_notebooks(config.hub.network.subnet, machines and machines.key)
    return config.hub.model_copy(
        update={
            "environment": environment | config.hub.environment,
            "open_ports": [*config.hub.open_ports, *ports],
            "reach": [*config.hub.reach, *workers_at(config)],
        }
    )
