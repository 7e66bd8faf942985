"""DaskCluster on a Docker engine: a network, a scheduler, workers, and a way in for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker

from ..images import ImageStore
from ..jupyterhub_host.component import JupyterHubHost
from ..platforms import containers
from ..platforms.addresses import address_in, gateway_of
from ..platforms.docker_host import DockerHost
from ..shared_volume.component import SharedVolume
from ..traefik_proxy.args import TcpRouteArgs, TraefikProxyArgs
from ..traefik_proxy.component import TraefikProxy
from . import tls
from .args import (
    DASHBOARD_PORT,
    FIRST_WORKER_PORT,
    SCHEDULER_PORT,
    DaskClusterArgs,
    scheduler_address,
)
from .machines import WorkerMachines

_ANSWERS = f"import socket; socket.create_connection(('127.0.0.1', {SCHEDULER_PORT}), 2)"


@dataclass(frozen=True)
class Made:
    """What every platform file of DaskCluster returns."""

    address: pulumi.Output[str]


def create(
    name: str,
    args: DaskClusterArgs,
    host: DockerHost,
    images: ImageStore,
    hub: JupyterHubHost,
    shared: SharedVolume,
    parent: pulumi.Resource,
    machines: WorkerMachines | None = None,
) -> Made:
    """Makes the cluster from the hub's first image.

    Notebooks can't be on the workers' network (they would reach each other there), so a proxy of
    the cluster's own carries their connections from the users' gateway address.
    """
    network = containers.network(
        name, host, parent, role="dask", subnet=args.subnet, icc=True, has_fixed=True
    )
    address = address_in(args.subnet, 2)
    scheduler = _scheduler(name, host, images, hub, parent, _on(network, address), machines)
    if machines:
        for each in machines.hosts:
            _workers_elsewhere(name, each, args, images, hub, parent, machines)
    else:
        _workers_here(name, args, host, images, hub, shared, parent, _on(network), scheduler)
    gateway = gateway_of(hub.args.network.subnet)
    # Other machines come by any of the host's addresses; the certificate is what lets them in.
    listen = {SCHEDULER_PORT: "0.0.0.0" if machines else gateway, DASHBOARD_PORT: gateway}
    TraefikProxy(
        f"{name}-ingress",
        TraefikProxyArgs(
            http_port=None,
            api_port=args.proxy_api_port,
            tcp_routes=[
                TcpRouteArgs(listen=f"{at}:{port}", target=f"{address}:{port}")
                for port, at in listen.items()
            ],
        ),
        host,
        images,
        # The gateway address exists once the hub's network does.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[hub, scheduler]),
    )
    return Made(pulumi.Output.from_input(scheduler_address(gateway, bool(machines))))


def _scheduler(
    name: str,
    host: DockerHost,
    images: ImageStore,
    hub: JupyterHubHost,
    parent: pulumi.Resource,
    network: Any,
    machines: WorkerMachines | None,
) -> docker.Container:
    image = images.get(hub.args.images[0].source)
    return containers.container(
        f"{name}-scheduler",
        host,
        parent,
        role="dask-scheduler",
        container_name=host.named(f"{name}-scheduler"),
        depends_on=image.resources,
        command=[
            *("dask", "scheduler", "--host", "0.0.0.0", "--port", str(SCHEDULER_PORT)),
            *("--dashboard-address", f":{DASHBOARD_PORT}", "--no-show"),
            *(("--protocol", "tls") if machines else ()),
        ],
        networks_advanced=[network],
        healthcheck=containers.healthcheck("python3", "-c", _ANSWERS),
        **_common(image.reference, hub, machines),
    )


def _workers_here(
    name: str,
    args: DaskClusterArgs,
    host: DockerHost,
    images: ImageStore,
    hub: JupyterHubHost,
    shared: SharedVolume,
    parent: pulumi.Resource,
    network: Any,
    scheduler: docker.Container,
) -> None:
    """Workers beside the scheduler, on its network."""
    image = images.get(hub.args.images[0].source)
    for index in range(args.workers):
        containers.container(
            f"{name}-worker-{index}",
            host,
            parent,
            role="dask-worker",
            container_name=host.named(f"{name}-worker-{index}"),
            depends_on=[scheduler],
            command=[
                *("dask", "worker", f"tcp://{address_in(args.subnet, 2)}:{SCHEDULER_PORT}"),
                *_worker_options(args, f"worker-{index}"),
            ],
            networks_advanced=[network],
            volumes=[_shared(shared.volume, hub)],
            **_memory(args),
            **_common(image.reference, hub, None),
        )


def _workers_elsewhere(
    name: str,
    machine: str,
    args: DaskClusterArgs,
    images: ImageStore,
    hub: JupyterHubHost,
    parent: pulumi.Resource,
    machines: WorkerMachines,
) -> None:
    """Workers on a machine of their own, each at a published port, which the others reach.

    Without a nanny: Dask would announce its address inside the container. The engine starts a
    worker again that ended.
    """
    host = machines.hosts[machine]
    store = ImageStore(host, images.egress, parent)
    image = store.get(hub.args.images[0].source)
    network = containers.network(
        f"{name}-{machine}", host, parent, role="dask", subnet=None, icc=True
    )
    shared = machines.shared.get(machine)
    for index in range(args.workers):
        port = FIRST_WORKER_PORT + index
        containers.container(
            f"{name}-{machine}-worker-{index}",
            host,
            parent,
            role="dask-worker",
            container_name=host.named(f"{name}-worker-{index}"),
            depends_on=image.resources,
            command=[
                *("dask", "worker", "--no-nanny"),
                pulumi.Output.concat("tls://", machines.scheduler, f":{SCHEDULER_PORT}"),
                *("--listen-address", f"tls://0.0.0.0:{port}", "--contact-address"),
                pulumi.Output.concat("tls://", host.address, f":{port}"),
                *_worker_options(args, f"{machine}-{index}"),
            ],
            ports=[docker.ContainerPortArgs(internal=port, external=port)],
            networks_advanced=[_on(network)],
            volumes=[_shared(shared, hub)] if shared else None,
            **_memory(args),
            **_common(image.reference, hub, machines),
        )


def _common(reference: str, hub: JupyterHubHost, machines: WorkerMachines | None) -> dict[str, Any]:
    notebook = hub.args.images[0]
    encrypted = containers.environment(tls.machine_environment(machines.key)) if machines else None
    return {
        "image": reference,
        "user": f"{notebook.uid}:{notebook.gid}",
        "envs": encrypted,
        "capabilities": docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        "security_opts": ["no-new-privileges"],
    }


def _worker_options(args: DaskClusterArgs, name: str) -> tuple[str, ...]:
    return (
        *("--nthreads", str(args.threads), "--memory-limit", str(int(args.memory))),
        *("--local-directory", "/tmp", "--no-dashboard", "--name", name),
    )


def _shared(volume: pulumi.Input[str], hub: JupyterHubHost) -> Any:
    return containers.mount(volume, f"{hub.args.images[0].home}/shared", read_only=True)


def _on(network: docker.Network, address: str | None = None) -> Any:
    return docker.ContainerNetworksAdvancedArgs(name=network.name, ipv4_address=address)


def _memory(args: DaskClusterArgs) -> dict[str, Any]:
    # Room above Dask's own limit: its spilling and pausing need to come before the kernel's end.
    mebibytes = int(int(args.memory) * 1.25) // 1024**2
    # Without memory_swap every preview shows a change.
    return {"memory": mebibytes, "memory_swap": mebibytes}
