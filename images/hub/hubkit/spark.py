"""Spark: a namespace for each user's executors, made before the user's server starts.

The server runs as an account of its own, which may make pods there and nowhere else. What each of
these objects is good for: docs/decisions/0021-spark-in-a-cluster.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from kubernetes_asyncio.client.rest import ApiException
from kubespawner.clients import shared_client
from kubespawner.slugs import safe_slug
from pydantic import BaseModel, ConfigDict
from traitlets import Instance

from .pods import PodSpawner

SETTINGS = Path("/etc/jupyterhub/spark.json")
_THERE = 409
_SERVER = "pulumi-jupyterhub/server"
_PRIVATE = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]


class Told(BaseModel):
    """What the hub is told of Spark.

    Attributes:
        prefix: of users' namespaces; role: what a driver may do in one; quota: what one may hold.
        ports: the first and the last that driver and executors talk by.
        api: ranges that the cluster's API is in; reach: further ones, for executors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: str
    role: str
    labels: dict[str, str]
    quota: dict[str, str]
    ports: tuple[int, int]
    api: list[str]
    reach: list[str]

    def namespace(self, user: str) -> str:
        """Of a user's executors. Two users never have the same, whatever they are called."""
        return f"{self.prefix}{safe_slug(user, max_length=63 - len(self.prefix))}"


def load() -> Told | None:
    """What the hub is told, None where there is no Spark."""
    return Told.model_validate_json(SETTINGS.read_bytes()) if SETTINGS.exists() else None


class SparkSpawner(PodSpawner):
    """Starts servers that are drivers of executors in a namespace of their user's own."""

    told = Instance(Told, config=True)

    async def _start(self) -> Any:
        await prepare(self)
        self.service_account = self.executors
        return await super()._start()

    @property
    def executors(self) -> str:
        """Name of the user's namespace, and of the account that may make pods there."""
        return str(self.told.namespace(self.user.name))

    def get_env(self) -> dict[str, Any]:
        """Adds what differs between servers: the rest is in the notebooks' spark-defaults.conf."""
        own = {
            "spark.driver.host": "$(SPARK_DRIVER_HOST)",
            "spark.driver.bindAddress": "$(SPARK_DRIVER_HOST)",  # executors are told this one
            "spark.kubernetes.namespace": self.executors,
            "spark.kubernetes.container.image": self.image,
            f"spark.kubernetes.executor.label.{_SERVER}": self.pod_name,
        }
        said = " ".join(f"--conf {key}={value}" for key, value in own.items())
        address = {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
        env: dict[str, Any] = super().get_env()
        return env | {
            "SPARK_DRIVER_HOST": address,
            "PYSPARK_SUBMIT_ARGS": f"{said} pyspark-shell",
        }

    async def stop(self, now: bool = False) -> None:
        """Stops the server, and its executors, which would notice by themselves in minutes."""
        await super().stop(now)
        try:
            await shared_client("CoreV1Api").delete_collection_namespaced_pod(
                self.executors, label_selector=f"{_SERVER}={self.pod_name}"
            )
        except ApiException as error:
            self.log.warning("executors of %s are left to end by themselves: %s", self, error)


async def prepare(spawner: SparkSpawner) -> None:
    """Makes what isn't there yet. What is there gets today's limits and ways."""
    told, name, hub = spawner.told, spawner.executors, spawner.namespace
    core, network = shared_client("CoreV1Api"), shared_client("NetworkingV1Api")
    rbac = shared_client("RbacAuthorizationV1Api")
    labels = told.labels | {"pod-security.kubernetes.io/enforce": "restricted"}
    await _made(core.create_namespace(_object(name, labels)))
    limits = _object("executors", told.labels, {"hard": told.quota})
    await _made(
        core.create_namespaced_resource_quota(name, limits),
        lambda: core.patch_namespaced_resource_quota("executors", name, limits),
    )
    driver = {"podSelector": {"matchLabels": {"hub.jupyter.org/username": _label(spawner)}}}
    for where, policy in (
        (name, _object("executors", told.labels, of_executors(told, driver, hub))),
        (hub, _object(name, told.labels, of_driver(told, driver, name))),
    ):
        await _made(
            network.create_namespaced_network_policy(where, policy),
            lambda where=where, policy=policy: network.patch_namespaced_network_policy(  # type: ignore[misc]
                policy["metadata"]["name"], where, policy
            ),
        )
    await _made(core.create_namespaced_service_account(hub, _object(name, told.labels)))
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": told.role}
    who = {"kind": "ServiceAccount", "name": name, "namespace": hub}
    binding = _object("driver", told.labels) | {"roleRef": role, "subjects": [who]}
    # Last: whoever may make pods finds the walls up.
    await _made(rbac.create_namespaced_role_binding(name, binding))


async def _made(
    making: Awaitable[Any], otherwise: Callable[[], Awaitable[Any]] | None = None
) -> None:
    try:
        await making
    except ApiException as error:
        if error.status != _THERE:
            raise
        if otherwise:
            await otherwise()


def _label(spawner: SparkSpawner) -> str:
    """The label that KubeSpawner gives a user's pods."""
    return str(spawner._build_common_labels({})["hub.jupyter.org/username"])


def _object(
    name: str, labels: dict[str, str], spec: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}} | ({"spec": spec} if spec else {})


def of_driver(told: Told, driver: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Beside the chart's policy of servers: this user's executors, and the cluster's API."""
    executors = {"namespaceSelector": _named(namespace)}
    api = [{"ipBlock": {"cidr": each}} for each in told.api]
    return driver | {
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [executors], "ports": _ports(told)}],
        "egress": [
            {"to": [executors], "ports": _ports(told)},
            {"to": api, "ports": [{"port": 443}, {"port": 6443}]},
        ],
    }


def of_executors(told: Told, driver: dict[str, Any], hub: str) -> dict[str, Any]:
    """Executors reach each other, their driver, DNS and the internet; nobody else reaches them."""
    among: dict[str, Any] = {"podSelector": {}}
    drivers = {"namespaceSelector": _named(hub), **driver}
    internet = {"ipBlock": {"cidr": "0.0.0.0/0", "except": _PRIVATE}}
    further = [{"ipBlock": {"cidr": each}} for each in told.reach]
    dns = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    system = {"namespaceSelector": _named("kube-system")}
    return {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [among, drivers], "ports": _ports(told)}],
        "egress": [
            {"to": [among, drivers], "ports": _ports(told)},
            {"to": [system], "ports": dns},
            {"to": [internet, *further]},
        ],
    }


def _named(namespace: str) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def _ports(told: Told) -> list[dict[str, Any]]:
    first, last = told.ports
    return [{"port": first, "endPort": last, "protocol": "TCP"}]
