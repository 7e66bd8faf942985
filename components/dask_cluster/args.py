"""Args of DaskCluster."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ..args import Args, Bytes, field
from ..jupyterhub_host.args import check_private
from ..platforms.addresses import gateway_of

SCHEDULER_PORT, DASHBOARD_PORT = 8786, 8787
_WORKERS = "replaces the workers; what they compute is computed again"


class DaskClusterArgs(Args):
    """A Dask scheduler and workers that all notebooks of a hub share.

    Every user can run code on the workers, and so see what others compute there. Workers hold no
    secrets, read the shared folder only, and reach neither homes nor the hub.
    """

    workers: int = field(
        2, ge=1, le=64, description="Number of workers.", change="adds or removes workers"
    )
    threads: int = field(1, ge=1, le=64, description="Threads of each worker.", change=_WORKERS)
    memory: Bytes = field(
        "1G",
        ge=256 * 1024**2,
        unit="bytes, or text like `1G`",
        description="Memory of each worker; Dask spills to disk before it is reached.",
        change=_WORKERS,
    )
    subnet: str = field(
        "10.231.16.0/24",
        description="Private range for the scheduler and the workers, used nowhere else.",
        change="replaces the network, the scheduler and the workers",
    )

    proxy_api_port: int = field(
        8098,
        ge=1,
        le=65535,
        description="Port on 127.0.0.1 for the API of the cluster's own proxy.",
        change="replaces the cluster's proxy: notebooks connect again by themselves",
    )

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        check_private(self.subnet)
        return self


def notebook_environment(gateway: str) -> dict[str, str]:
    """Variables that let a notebook find the cluster, and its user the dashboard."""
    link = "{JUPYTERHUB_SERVICE_PREFIX}proxy/" + f"{gateway}:{DASHBOARD_PORT}/status"
    return {
        "DASK_SCHEDULER_ADDRESS": f"tcp://{gateway}:{SCHEDULER_PORT}",
        "DASK_DISTRIBUTED__DASHBOARD__LINK": link,
        "JUPYTER_PROXY_HOSTS": gateway,
    }


def for_notebooks(subnet: str) -> tuple[dict[str, str], list[int]]:
    """What a hub on this subnet is told of the cluster: environment and ports to open."""
    return notebook_environment(gateway_of(subnet)), [SCHEDULER_PORT, DASHBOARD_PORT]
