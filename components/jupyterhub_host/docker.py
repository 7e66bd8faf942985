"""JupyterHubHost on a Docker engine: the users' network, its guard, and the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_docker as docker

from ..buckets.component import Buckets
from ..images import Image, ImageStore
from ..platforms import containers
from ..platforms.docker_host import DockerHost
from ..shared_volume.component import SharedVolume
from ..traefik_proxy.component import TraefikProxy
from .args import HubSecretsArgs, JupyterHubHostArgs
from .files import ExamplesArgs
from .made import Made
from .settings import (
    engine_document,
    network_document,
    secrets_document,
    settings_document,
)

# The folder of the socket, not the socket: an engine that restarts makes a new one.
ENGINE_MOUNT = docker.ContainerVolumeArgs(
    host_path="/var/run", container_path="/host/run", read_only=True
)
ENGINE_ADDRESS = {"DOCKER_HOST": "unix:///host/run/docker.sock"}


def create(
    name: str,
    args: JupyterHubHostArgs,
    secrets: HubSecretsArgs,
    host: DockerHost,
    images: ImageStore,
    proxy: TraefikProxy,
    volumes: Mapping[str, SharedVolume],
    parent: pulumi.Resource,
    buckets: Buckets | None = None,
) -> Made:
    """Makes the network, the guard that closes it, and the hub behind the proxy."""
    assert proxy.routes_volume is not None  # it is on this engine, too
    image = images.get(args.image)
    offered = [images.get(notebook.source) for notebook in args.images]
    network = containers.network(
        f"{name}-users", host, parent, role="users", subnet=args.network.subnet, icc=False
    )
    closed = network_document(
        args,
        host.named("users"),
        host.bridge("users"),
        [host.bridge("dask")],
        images.egress.hosts(),
    )
    scratch = _scratch(name, args, host, parent)
    examples = _examples(name, args.files.examples, host, parent, offered[0], images)
    reach = images.egress.environment("127.0.0.1", closed["gateway"])
    guard = _guard(name, host, parent, image, network, closed)
    document = settings_document(
        args,
        deployment=host.deployment,
        public_url=proxy.url,
        references=[each.reference for each in offered],
        environment=reach,
        engine=engine_document(
            args,
            network=closed,
            proxy={
                "api_url": f"http://127.0.0.1:{proxy.args.api_port}",
                "entry_point": proxy.args.entry_point,
            },
            homes=volumes["homes"].volume,
            shared=volumes["shared"].volume,
            cloud_storage=buckets.folder if buckets else None,
        ),
        scratch=scratch,
        examples=examples,
    )
    containers.container(
        name,
        host,
        parent,
        role="hub",
        labels=host.labels("hub", keep_running="true"),
        container_name=host.named(name),
        image=image.reference,
        depends_on=[
            *image.resources,
            *(r for each in offered for r in each.resources),
            guard,
            proxy,
        ],
        network_mode="host",
        envs=containers.environment(reach | ENGINE_ADDRESS),
        volumes=[
            ENGINE_MOUNT,
            containers.mount(volumes["state"].volume, "/srv/state"),
            containers.mount(volumes["homes"].volume, "/srv/homes"),
            containers.mount(volumes["shared"].volume, "/srv/shared"),
            containers.mount(proxy.routes_volume, "/srv/routes"),
            *([containers.mount(scratch, "/srv/scratch")] if scratch else []),
            *([containers.mount(buckets.asked, "/srv/asked")] if buckets else []),
        ],
        uploads=[
            containers.file(
                "/etc/jupyterhub/settings.json", pulumi.Output.json_dumps(document, indent=1)
            ),
            containers.file(
                "/etc/jupyterhub/secrets.json", secrets_document(secrets), private=True
            ),
        ],
        capabilities=docker.ContainerCapabilitiesArgs(adds=_capabilities(args)),
        healthcheck=containers.healthcheck("hubkit-health"),
    )
    return Made(
        network.name,
        pulumi.Output.from_input(closed["gateway"]),
        pulumi.Output.from_input([each.reference for each in offered]),
    )


def _capabilities(args: JupyterHubHostArgs) -> list[str]:
    """What the hub may do. With the engine's socket it could do anything: nothing is added to that.

    NET_ADMIN is only to see that the guard's rules are there: without them no server starts.
    SYS_ADMIN is what the kernel asks of who limits a project's disk space.
    """
    return ["CAP_NET_ADMIN", *(["CAP_SYS_ADMIN"] if args.files.disk_quota else [])]


def _scratch(
    name: str, args: JupyterHubHostArgs, host: DockerHost, parent: pulumi.Resource
) -> pulumi.Output[str] | None:
    """A volume for what isn't kept."""
    if not args.files.scratch:
        return None
    made = docker.Volume(
        f"{name}-scratch", name=host.named(f"{name}-scratch"), opts=host.options(parent)
    )
    return made.name


# A fetch that was killed leaves locks behind. The address is given each time: it may have changed.
_FETCH = """
trap 'exit 0' TERM
cd /examples
while true; do
  rm -f .git/*.lock
  git init -q . && git fetch -q --depth 1 "$REPOSITORY" "$BRANCH" \\
    && git reset -q --hard FETCH_HEAD && git clean -qfd \\
    || echo "can't fetch branch $BRANCH of $REPOSITORY; trying again in $EVERY s"
  sleep "$EVERY" & wait $!
done
"""


def _examples(
    name: str,
    args: ExamplesArgs | None,
    host: DockerHost,
    parent: pulumi.Resource,
    image: Image,
    images: ImageStore,
) -> pulumi.Output[str] | None:
    """A volume with a repository's content, and the container that keeps it up to date.

    In a container of its own, as root without any capability: the hub's runs nothing of a
    teacher's.
    """
    if args is None:
        return None
    volume = docker.Volume(
        f"{name}-examples", name=host.named(f"{name}-examples"), opts=host.options(parent)
    )
    settings = {
        "REPOSITORY": args.repository,
        "BRANCH": args.branch,
        "EVERY": str(args.every),
        "GIT_TERMINAL_PROMPT": "0",
    }
    containers.container(
        f"{name}-examples",
        host,
        parent,
        role="examples",
        container_name=host.named(f"{name}-examples"),
        image=image.reference,
        depends_on=image.resources,
        entrypoints=["sh", "-c", _FETCH],
        user="0:0",
        envs=containers.environment(images.egress.environment() | settings),
        volumes=[containers.mount(volume.name, "/examples")],
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        security_opts=["no-new-privileges"],
    )
    return volume.name


def _guard(
    name: str,
    host: DockerHost,
    parent: pulumi.Resource,
    image: Image,
    network: docker.Network,
    closed: Mapping[str, Any],
) -> docker.Container:
    """Keeps the users' network closed, and stops the users' servers before a destroy ends it.

    It is deleted after the hub and before the network. A changed one starts before the old one
    ends (its name is the engine's choice), so that the network is never open.
    """
    document = json.dumps({"deployment": host.deployment, "network": closed})
    return containers.container(
        f"{name}-guard",
        host,
        parent,
        role="guard",
        container_name=None,
        image=image.reference,
        depends_on=[*image.resources, network],
        delete_before_replace=False,
        grace=90,  # it stops every user's server meanwhile
        network_mode="host",
        command=["python3", "-m", "hubkit.guard"],
        envs=containers.environment(ENGINE_ADDRESS),
        volumes=[ENGINE_MOUNT],
        uploads=[containers.file("/etc/jupyterhub/guard.json", document)],
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=["CAP_NET_ADMIN"]),
    )
