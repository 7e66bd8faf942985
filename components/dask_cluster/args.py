"""Args of DaskCluster."""

from __future__ import annotations

from typing import Annotated, Any, Self

import pulumi
from pydantic import StringConstraints, model_validator

from ..args import Args, Bytes, InputSecret, InputStr, field
from ..cloud_vm.args import SizeArgs
from ..jupyterhub_host.args import check_private
from ..machine.args import Cidr, HostArgs
from ..platforms.addresses import gateway_of
from . import tls

SCHEDULER_PORT, DASHBOARD_PORT = 8786, 8787
FIRST_WORKER_PORT = 8790  # on a machine of their own, each worker has one
_WORKERS = "replaces the workers; what they compute is computed again"
_MACHINES = "adds or removes machines; what removed ones computed is computed again"


class DaskMachinesArgs(Args):
    """Machines for the workers, beside the hub's host, which keeps the scheduler.

    They are on one network with it, and everything between them is encrypted.
    """

    count: int = field(0, ge=0, le=64, description="In a cloud: number of VMs.", change=_MACHINES)
    size: SizeArgs = field(
        SizeArgs(),
        description="In a cloud: what each VM needs at least.",
        change="restarts the VMs: minutes",
    )
    machine_type: InputStr | None = field(
        None,
        description="In a cloud: its own name of a type (flavor), instead of `size`.",
        change="restarts the VMs: minutes",
    )
    spot: bool = field(
        False,
        description=(
            "Cheaper VMs that the cloud may take away (AWS, GCP); `make up` brings them back."
        ),
        change="nothing until the VMs are made anew",
    )
    cidr: Cidr | None = field(
        None,
        description=(
            "In a cloud: range of the network that they share with the hub's VM. "
            "Default: that of an `own` network."
        ),
        change="in place",
    )
    hosts: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,20}$")], HostArgs] = (
        field(
            {},
            description=(
                "With `host`: machines that exist, by a name of yours. The hub's host and the "
                "others reach each at its `address`."
            ),
            change=_MACHINES,
        )
    )

    @model_validator(mode="after")
    def _some(self) -> Self:
        if bool(self.count) == bool(self.hosts):
            raise ValueError("give either count (VMs of a cloud) or hosts (machines that exist)")
        if self.machine_type and "size" in self.model_fields_set:
            raise ValueError("give either size or machine_type, not both")
        return self


class DaskGatewayArgs(Args):
    """On Kubernetes: what dask-gateway, which makes each user's clusters, is told beside."""

    idle_timeout: int = field(
        1800,
        ge=0,
        unit="seconds",
        description="A cluster that computes nothing for this long is stopped; 0: never.",
        change="in place, for clusters that are made from then on",
    )
    scheduler_memory: Bytes = field(
        "1G",
        ge=256 * 1024**2,
        unit="bytes, or text like `1G`",
        description="Memory of each cluster's scheduler.",
        change="in place, for clusters that are made from then on",
    )
    values: dict[str, Any] = field(
        {},
        description="Further values of the chart dask-gateway, over all others.",
        change="as the chart does it",
    )


class DaskClusterArgs(Args):
    """A Dask scheduler and workers that all notebooks of a hub share.

    Every user can run code on the workers, and so see what others compute there. Workers hold no
    secrets that users don't have, read the shared folder only, and reach neither homes nor the hub.
    """

    workers: int = field(
        2,
        ge=1,
        le=64,
        description=(
            "Number of workers; with `machines`, on each of them; on Kubernetes, at most, in each "
            "user's cluster, which grows and shrinks with its work if asked to (`adapt`)."
        ),
        change="adds or removes workers",
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

    machines: DaskMachinesArgs | None = field(
        None,
        description="Machines of their own for the workers. Default: they are on the hub's host.",
        change="moves the workers, and replaces the scheduler and the hub container; servers go on",
    )
    gateway: DaskGatewayArgs = field(
        DaskGatewayArgs(),
        description="On Kubernetes, where each user has clusters of their own.",
        change="see its fields",
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


def scheduler_address(gateway: str, encrypted: bool) -> str:
    """What notebooks connect to."""
    return f"{'tls' if encrypted else 'tcp'}://{gateway}:{SCHEDULER_PORT}"


def notebook_environment(
    gateway: str, key: InputSecret | None = None
) -> dict[str, pulumi.Input[str]]:
    """Variables that let a notebook find the cluster, and its user the dashboard."""
    link = "{JUPYTERHUB_SERVICE_PREFIX}proxy/" + f"{gateway}:{DASHBOARD_PORT}/status"
    return {
        "DASK_SCHEDULER_ADDRESS": scheduler_address(gateway, encrypted=key is not None),
        "DASK_DISTRIBUTED__DASHBOARD__LINK": link,
        "JUPYTER_PROXY_HOSTS": gateway,
        **(tls.environment(key, ["client"]) if key is not None else {}),
    }


def for_notebooks(
    subnet: str, key: InputSecret | None = None
) -> tuple[dict[str, pulumi.Input[str]], list[int]]:
    """What a hub on this subnet is told of the cluster: environment and ports to open.

    `key` is the one of WorkerMachines, where workers are on machines of their own.
    """
    return notebook_environment(gateway_of(subnet), key), [SCHEDULER_PORT, DASHBOARD_PORT]
