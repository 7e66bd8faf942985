"""The hub on a Docker engine: the same on this machine, on a VM and on any host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components import (
    DaskCluster,
    DockerHost,
    ImageStore,
    JupyterHubHost,
    SharedVolume,
    TraefikProxy,
)
from components.config import StackConfig
from components.dask_cluster.args import for_notebooks
from components.jupyterhub_host.args import JupyterHubHostArgs
from components.shared_volume.bucket import FOLDER, BucketMount

from .outputs import outputs
from .preflight import warn_of_files, warn_of_size


def compose(
    stack: str,
    config: StackConfig,
    host: DockerHost,
    kept: Mapping[str, SharedVolume],
    buckets: Mapping[str, SharedVolume] | None = None,
) -> dict[str, Any]:
    """Makes proxy, hub, Dask and the mounts of buckets, and returns the hub's outputs."""
    warn_of_size(config)
    warn_of_files(config)
    images = ImageStore(host, config.egress)
    for name, bucket in (buckets or {}).items():
        BucketMount(f"{name}-bucket", name, bucket.made, host, images)
    proxy = TraefikProxy("proxy", config.proxy, host, images, kept["certificates"])
    hub = JupyterHubHost(
        "hub",
        _hub_args(config),
        config.secrets,
        host,
        images,
        proxy,
        kept,
        cloud_storage=FOLDER if buckets else None,
    )
    if config.dask:
        DaskCluster("dask", config.dask, host, images, hub, kept["shared"])
    return outputs(stack, config, hub)


def _hub_args(config: StackConfig) -> JupyterHubHostArgs:
    """The hub's args, which know of the Dask cluster where there is one."""
    if not config.dask:
        return config.hub
    environment, ports = for_notebooks(config.hub.network.subnet)
    return config.hub.model_copy(
        update={
            "environment": environment | config.hub.environment,
            "open_ports": [*config.hub.open_ports, *ports],
        }
    )
