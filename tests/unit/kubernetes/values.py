"""The chart's values of a fixture, with plain text where the engine would fill something in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components import config
from components.config import StackConfig
from components.jupyterhub_host import kubernetes as hub
from components.traefik_proxy import kubernetes as proxy

FIXTURES = Path(__file__).parents[1] / "fixtures"


def read(name: str) -> StackConfig:
    return config.read_file(FIXTURES / f"kubernetes.happy.{name}.yaml")


def hub_values(stack: StackConfig) -> dict[str, Any]:
    args = stack.hub
    values = hub.chart_values(
        args,
        deployment="jupyterhub-test",
        hub_image=str(args.image.reference),
        references=[str(image.source.reference) for image in args.images],
        settings="{}",
        secret="jupyterhub-test-hub-secrets",
        secret_version="7",
        volumes={
            "homes": "claim-{username}"
            if stack.volumes.homes.kind.value == "per_user"
            else "jupyterhub-test-homes",
            "shared": "jupyterhub-test-shared",
            "state": "jupyterhub-test-state",
        },
        homes_kind="per_user" if stack.volumes.homes.kind.value == "per_user" else "claim",
        homes_size=stack.volumes.homes.size or 10,
        storage_class=stack.cluster.storage_class,
        ingress=proxy.ingress(
            stack.proxy, "jupyterhub-test-proxy", list(stack.proxy.tls.domains), "certificate"
        ),
        pools=stack.cluster.pools,
        environment={"HTTPS_PROXY": "http://proxy.example.org"},
        network_policy=hub.network_policy(args.reach, [stack.volumes.homes.server]),
    )
    return hub.with_own(values, args.values)


def proxy_values(stack: StackConfig) -> dict[str, Any]:
    return proxy.chart_values(
        stack.proxy,
        name="jupyterhub-test-proxy",
        namespace="jupyterhub-test",
        claim="jupyterhub-test-certificates",
    )
