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
from .args import DASHBOARD_PORT, SCHEDULER_PORT, DaskClusterArgs

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
) -> Made:
    """Makes the cluster from the hub's first image.

    Notebooks can't be on the workers' network (they would reach each other there), so a proxy of
    the cluster's own carries their connections from the users' gateway address.
    """
    notebook = hub.args.images[0]
    image = images.get(notebook.source)
    network = containers.network(name, host, parent, role="dask", subnet=args.subnet, icc=True)
    scheduler_address = address_in(args.subnet, 2)
    common: dict[str, Any] = {
        "image": image.reference,
        "user": f"{notebook.uid}:{notebook.gid}",
        "capabilities": docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        "security_opts": ["no-new-privileges"],
    }
    scheduler = containers.container(
        f"{name}-scheduler",
        host,
        parent,
        role="dask-scheduler",
        container_name=host.named(f"{name}-scheduler"),
        depends_on=image.resources,
        command=[
            *("dask", "scheduler", "--host", "0.0.0.0", "--port", str(SCHEDULER_PORT)),
            *("--dashboard-address", f":{DASHBOARD_PORT}", "--no-show"),
        ],
        networks_advanced=[_on(network, scheduler_address)],
        healthcheck=containers.healthcheck("python3", "-c", _ANSWERS),
        **common,
    )
    for index in range(args.workers):
        containers.container(
            f"{name}-worker-{index}",
            host,
            parent,
            role="dask-worker",
            container_name=host.named(f"{name}-worker-{index}"),
            depends_on=[scheduler],
            command=[
                *("dask", "worker", f"tcp://{scheduler_address}:{SCHEDULER_PORT}"),
                *("--nthreads", str(args.threads), "--memory-limit", str(int(args.memory))),
                *("--local-directory", "/tmp", "--no-dashboard", "--name", f"worker-{index}"),
            ],
            memory=_mebibytes(args),
            memory_swap=_mebibytes(args),  # without it every preview shows a change
            networks_advanced=[_on(network)],
            volumes=[containers.mount(shared.volume, f"{notebook.home}/shared", read_only=True)],
            **common,
        )
    gateway = gateway_of(hub.args.network.subnet)
    TraefikProxy(
        f"{name}-ingress",
        TraefikProxyArgs(
            http_port=None,
            api_port=args.proxy_api_port,
            tcp_routes=[
                TcpRouteArgs(listen=f"{gateway}:{port}", target=f"{scheduler_address}:{port}")
                for port in (SCHEDULER_PORT, DASHBOARD_PORT)
            ],
        ),
        host,
        images,
        # The gateway address exists once the hub's network does.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[hub, scheduler]),
    )
    return Made(pulumi.Output.from_input(f"tcp://{gateway}:{SCHEDULER_PORT}"))


def _on(network: docker.Network, address: str | None = None) -> Any:
    return docker.ContainerNetworksAdvancedArgs(name=network.name, ipv4_address=address)


def _mebibytes(args: DaskClusterArgs) -> int:
    # Room above Dask's own limit: its spilling and pausing need to come before the kernel's end.
    return int(int(args.memory) * 1.25) // 1024**2
