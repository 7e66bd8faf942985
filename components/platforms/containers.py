"""Short forms for what every container and network on a Docker engine needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_docker as docker

from .addresses import gateway_of, upper_half
from .docker_host import DockerHost


def container_labels(labels: Mapping[str, str]) -> list[docker.ContainerLabelArgs]:
    """Labels in the form that a Container takes."""
    return [docker.ContainerLabelArgs(label=k, value=v) for k, v in sorted(labels.items())]


def mount(volume: pulumi.Input[str], path: str, read_only: bool = False) -> Any:
    """A volume at a path inside a container."""
    return docker.ContainerVolumeArgs(
        volume_name=volume, container_path=path, read_only=read_only or None
    )


def file(path: str, content: pulumi.Input[str], private: bool = False) -> Any:
    """A file put into a container before it starts; `private` files are root's alone."""
    return docker.ContainerUploadArgs(
        file=path, content=content, permissions="0600" if private else "0644"
    )


def environment(values: Mapping[str, pulumi.Input[str]]) -> list[pulumi.Input[str]]:
    """Environment variables in the form that a Container takes."""
    return [
        f"{name}={value}" if isinstance(value, str) else pulumi.Output.concat(name, "=", value)
        for name, value in sorted(values.items())
    ]


def healthcheck(*command: str) -> docker.ContainerHealthcheckArgs:
    """A check that makes `pulumi up` wait until the container answers.

    Each check costs some hundredths of a second of CPU for as long as the container runs, and the
    first comes after one interval: three seconds are between the two.
    """
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", *command], interval="3s", timeout="5s", retries=20, start_period="0s"
    )


def container(
    name: str,
    host: DockerHost,
    parent: pulumi.Resource,
    *,
    role: str,
    image: pulumi.Input[str],
    container_name: str | None,
    depends_on: Sequence[pulumi.Resource] = (),
    delete_before_replace: bool = True,
    labels: Mapping[str, str] | None = None,
    **more: Any,
) -> docker.Container:
    """A container of this deployment that is always there: labelled, restarted, waited for."""
    return docker.Container(
        name,
        name=container_name,
        image=image,
        restart="always",
        labels=container_labels(labels or host.labels(role)),
        wait="healthcheck" in more,
        wait_timeout=120,
        destroy_grace_seconds=more.pop("grace", 15),
        opts=pulumi.ResourceOptions.merge(
            host.options(parent),
            pulumi.ResourceOptions(
                depends_on=list(depends_on),
                delete_before_replace=delete_before_replace,
                additional_secret_outputs=["envs", "uploads"],
            ),
        ),
        **more,
    )


def network(
    name: str,
    host: DockerHost,
    parent: pulumi.Resource,
    *,
    role: str,
    subnet: str | None,
    icc: bool,
    has_fixed: bool = False,
) -> docker.Network:
    """A bridge network. Without `icc` its containers can't reach each other.

    Without a range of its own it gets one of the engine's. Where one of its containers `has_fixed`
    address, the engine gives others the upper half: after a restart it starts them in any order.
    """
    ranges = [
        docker.NetworkIpamConfigArgs(
            subnet=subnet,
            gateway=gateway_of(subnet),
            ip_range=upper_half(subnet) if has_fixed else None,
        )
        for subnet in filter(None, [subnet])
    ]
    options = {
        "com.docker.network.bridge.name": host.bridge(role),
        "com.docker.network.bridge.enable_icc": "true" if icc else "false",
        "com.docker.network.driver.mtu": str(host.mtu),
    }
    labels = host.labels(f"{role}-network")
    return docker.Network(
        name,
        name=host.named(role),
        driver="bridge",
        options=options,
        ipam_configs=ranges or None,
        labels=[docker.NetworkLabelArgs(label=k, value=v) for k, v in sorted(labels.items())],
        opts=pulumi.ResourceOptions.merge(
            host.options(parent), pulumi.ResourceOptions(delete_before_replace=True)
        ),
    )
