"""DaskCluster on Kubernetes: which values the chart of dask-gateway, and the hub's, are given."""

from __future__ import annotations

import ast
import json
import sys
import types
from typing import Any

import pytest

from components import DaskClusterArgs, DaskGatewayArgs
from components.dask_cluster import kubernetes
from components.platforms.charts import merged
from components.platforms.reach import PRIVATE
from tests.unit.kubernetes.values import read

IMAGES = ["example.org/you/dask:1", "example.org/you/root:2"]


def values(**args: Any) -> dict[str, Any]:
    return kubernetes.chart_values(
        DaskClusterArgs(**args),
        fullname="jupyterhub-class-dask",
        images=IMAGES,
        owner=(1000, 100),
        shared=("class-shared", "/home/jovyan/shared"),
    )


def test_every_value() -> None:
    found = values(workers=20, threads=2, memory="4GiB")
    (told,) = found["gateway"].pop("env")
    config = found["gateway"].pop("extraConfig")
    assert found == {
        "fullnameOverride": "jupyterhub-class-dask",
        "gateway": {
            "prefix": "/services/dask-gateway",
            "auth": {"type": "jupyterhub", "jupyterhub": {"apiUrl": "http://hub:8081/hub/api"}},
            "backend": {
                "scheduler": {
                    "cores": {"request": 0.1, "limit": 1},
                    "memory": {"request": 10**9, "limit": 10**9},
                    "extraPodConfig": POD,
                    "extraContainerConfig": CONTAINER,
                },
                "worker": {
                    "cores": {"request": 2, "limit": 2},
                    "memory": {"request": 4 * 1024**3, "limit": 4 * 1024**3},
                    "threads": 2,
                    "extraPodConfig": POD
                    | {
                        "volumes": [
                            {
                                "name": "shared",
                                "persistentVolumeClaim": {
                                    "claimName": "class-shared",
                                    "readOnly": True,
                                },
                            }
                        ]
                    },
                    "extraContainerConfig": CONTAINER
                    | {
                        "volumeMounts": [
                            {
                                "name": "shared",
                                "mountPath": "/home/jovyan/shared",
                                "readOnly": True,
                            }
                        ]
                    },
                },
            },
        },
        "traefik": {"service": {"type": "ClusterIP"}},
    }
    assert json.loads(told["value"]) == {"idle_timeout": 1800, "max_workers": 20, "images": IMAGES}
    assert set(config) == {"pulumi-jupyterhub"}


POD = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsUser": 1000, "runAsGroup": 100, "runAsNonRoot": True},
}
CONTAINER = {
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    "workingDir": "/tmp",
}


class Section:
    """A section of a traitlets config, which keeps what is set."""


def test_the_gateways_own_config_sets_limits_and_offers_the_hubs_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Run as the chart runs it, after its own lines, which import os and json."""
    found = values(workers=7, gateway=DaskGatewayArgs(idle_timeout=60))
    (told,) = found["gateway"]["env"]
    monkeypatch.setenv(told["name"], told["value"])
    options = types.ModuleType("dask_gateway_server.options")
    options.__dict__["Select"] = lambda name, choices: (name, choices)
    options.__dict__["Options"] = lambda *fields, handler: (fields, handler)
    monkeypatch.setitem(sys.modules, "dask_gateway_server", types.ModuleType("x"))
    monkeypatch.setitem(sys.modules, "dask_gateway_server.options", options)
    c = types.SimpleNamespace(ClusterConfig=Section(), Backend=Section())
    text = "import os, json\n" + found["gateway"]["extraConfig"]["pulumi-jupyterhub"]
    ast.parse(text)
    exec(text, {"c": c})
    assert vars(c.ClusterConfig) == {
        "idle_timeout": 60,
        "cluster_max_workers": 7,
        "scheduler_cmd": ["dask", "scheduler"],
        "worker_cmd": ["dask", "worker"],
    }
    (field,), handler = c.Backend.__dict__["cluster_options"]
    assert field == ("image", IMAGES)
    assert handler(types.SimpleNamespace(image=IMAGES[1])) == {"image": IMAGES[1]}


def test_ones_own_values_win() -> None:
    own = {"traefik": {"service": {"type": "NodePort"}}, "controller": {"loglevel": "DEBUG"}}
    found = merged(values(), own)
    assert found["traefik"] == {"service": {"type": "NodePort"}}
    assert found["controller"] == {"loglevel": "DEBUG"}
    assert found["gateway"] == values()["gateway"]


def test_what_the_hub_is_told() -> None:
    found = kubernetes.for_hub("jupyterhub-class-dask")
    assert found["hub"]["services"] == {
        "dask-gateway": {"display": False, "url": "http://traefik-jupyterhub-class-dask"}
    }
    environment = found["singleuser"]["extraEnv"]
    inside = "http://traefik-jupyterhub-class-dask/services/dask-gateway"
    assert environment["DASK_GATEWAY__ADDRESS"] == inside
    assert environment["DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE"] == "{{JUPYTER_IMAGE_SPEC}}"
    (way,) = found["singleuser"]["networkPolicy"]["egress"]
    assert way["to"] == [
        {"podSelector": {"matchLabels": {"gateway.dask.org/instance": "jupyterhub-class-dask"}}}
    ]


def test_clusters_go_where_users_servers_go() -> None:
    policy = kubernetes.policy("jupyterhub-class-dask", ["10.1.2.3:5432"], ["203.0.113.5", None])
    own = {"gateway.dask.org/instance": "jupyterhub-class-dask"}
    assert policy["podSelector"]["matchLabels"] == own
    (kinds,) = policy["podSelector"]["matchExpressions"]
    assert kinds["values"] == ["dask-scheduler", "dask-worker"]  # not the gateway's own pods
    among, dns, internet, database = policy["egress"]
    assert among == {"to": [{"podSelector": {"matchLabels": own}}]}
    assert {each["port"] for each in dns["ports"]} == {53}
    closed = [*PRIVATE, "203.0.113.5/32"]
    assert internet == {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": closed}}]}
    assert database["to"] == [{"ipBlock": {"cidr": "10.1.2.3/32"}}]
    assert {each["port"] for each in database["ports"]} == {5432}


def test_a_stack_with_dask_tells_its_hub() -> None:
    """And one's own values of the hub's chart still win."""
    from stacks import kubernetes as wiring

    stack = read("dask")
    cluster: Any = types.SimpleNamespace(
        named="jupyterhub-class-{}".format, deployment="jupyterhub-class"
    )
    told = wiring._hub_args(stack, cluster).values
    environment = told["singleuser"]["extraEnv"]
    assert environment["DASK_GATEWAY__AUTH__TYPE"] == "mine"
    assert (
        environment["DASK_GATEWAY__PROXY_ADDRESS"] == "gateway://traefik-jupyterhub-class-dask:80"
    )
    assert told["hub"]["services"]["dask-gateway"]["url"] == "http://traefik-jupyterhub-class-dask"
    without = stack.model_copy(update={"dask": None})
    assert wiring._hub_args(without, cluster).values == stack.hub.values
