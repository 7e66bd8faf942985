"""GPUs in a cluster: what the device plugin's chart is given, who may share, who fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from components import KubernetesClusterArgs
from components.config import parse
from components.errors import ConfigError
from components.jupyterhub_host.servers import ServerSizeArgs
from components.kubernetes_cluster import checks, gpu
from components.kubernetes_cluster.api import Facts, Node
from components.kubernetes_cluster.pools import PoolArgs
from components.platforms.charts import merged
from tests.unit.kubernetes.test_checks import ASKED
from tests.unit.kubernetes.test_hub_values import HUB, MINIMAL, PYTHON, stack

SMALL = PoolArgs(name="small")
GPUS = PoolArgs(
    name="gpu", gpus=2, min=0, max=3, labels={"pool": "gpu"}, taints=["gpu=yes:NoSchedule"]
)
OWN = ["192.0.2.7/32"]
ONE = ServerSizeArgs(title="GPU", gpus=1)


def test_the_plugin_is_on_nodes_with_gpus_whatever_keeps_others_off() -> None:
    assert gpu.chart_values(gpu.GpuArgs(), [SMALL, GPUS]) == {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [match("nvidia.com/gpu.present", "true")]},
                        {"matchExpressions": [match("pool", "gpu")]},
                    ]
                }
            }
        },
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "gpu", "effect": "NoSchedule", "operator": "Equal", "value": "yes"},
        ],
        "config": {"map": {}, "default": ""},
    }


def match(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": [value]}


def test_servers_that_share_a_gpu_take_turns_and_ask_for_one() -> None:
    config = gpu.chart_values(gpu.GpuArgs(time_slicing=4), [GPUS])["config"]
    assert config["default"] in config["map"]
    assert yaml.safe_load(config["map"][config["default"]]) == {
        "version": "v1",
        "sharing": {
            "timeSlicing": {
                "failRequestsGreaterThanOne": True,
                "resources": [{"name": "nvidia.com/gpu", "replicas": 4}],
            }
        },
    }


def test_ones_own_values_win() -> None:
    own = gpu.GpuArgs(values={"gfd": {"enabled": True}, "tolerations": []})
    found = merged(gpu.chart_values(own, [GPUS]), own.values)
    assert found["gfd"] == {"enabled": True} and found["tolerations"] == []


GKE = {"kind": "gke", "api_from": OWN, "pools": [SMALL, GPUS]}


@pytest.mark.parametrize(
    ("args", "brought"),
    [
        ({"kind": "eks", "api_from": OWN, "pools": [SMALL, GPUS]}, True),
        ({"kind": "k3s", "cloud": "aws", "pools": [GPUS]}, True),
        (GKE, False),
        ({"pools": [GPUS]}, False),
        ({"gpu": {"device_plugin": True}}, True),
        ({"kind": "eks", "api_from": OWN, "pools": [SMALL]}, False),
        ({"kind": "k3s", "cloud": "aws", "pools": [GPUS], "gpu": {"device_plugin": False}}, False),
    ],
)
def test_who_gets_the_plugin(args: dict[str, Any], brought: bool) -> None:
    assert KubernetesClusterArgs(**args).brings_gpus is brought


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            {
                "kind": "gke",
                "api_from": OWN,
                "pools": [SMALL, GPUS],
                "gpu": {"device_plugin": True},
            },
            "GKE brings its own",
        ),
        ({"gpu": {"time_slicing": 2}}, "done by the stack's own device plugin"),
    ],
)
def test_what_can_not_be(args: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        KubernetesClusterArgs(**args)


def test_two_turns_on_one_gpu_are_refused() -> None:
    cluster = {"pools": [{"name": "gpu", "gpus": 2}], "gpu": {"device_plugin": True}}
    hub = {"login": {"users": ["anna"]}, "image": HUB, "images": [PYTHON | {"gpus": 2}]}
    parse(MINIMAL | {"hub": hub, "cluster": cluster}, "here")
    cluster["gpu"] = {"device_plugin": True, "time_slicing": 4}
    with pytest.raises(ConfigError, match=r"hub\.images\.0\.gpus: found 2; allowed: 1 while"):
        parse(MINIMAL | {"hub": hub, "cluster": cluster}, "here")


def test_how_many_fit() -> None:
    pools = [SMALL, GPUS]
    assert gpu.servers_at_once(ONE, pools) == 6
    assert gpu.servers_at_once(ONE, pools, 4) == 24
    assert gpu.servers_at_once(ServerSizeArgs(title="big", gpus=2), pools) == 3
    assert gpu.servers_at_once(ServerSizeArgs(title="none"), pools) is None
    hub = stack(class_size=20, images=[PYTHON | {"gpus": 1}]).hub
    (text,) = gpu.warnings(hub, pools, 1)
    assert "room for 6 servers of `Python`" in text and "cluster.gpu.time_slicing" in text
    assert not list(gpu.warnings(hub, pools, 4))


def test_a_node_whose_gpus_are_not_offered_yet_is_no_obstacle() -> None:
    """Before the first `up` no node says what GPUs it has: the plugin comes with it."""
    facts = Facts("id", has_default=True, nodes=[Node(4, 16 * 1024**3, 0)])
    asked = replace(ASKED, sizes={"hub.sizes.0": ONE}, volumes={})
    assert [found.path for found in checks.check(asked, facts)] == [
        "cluster.storage_class",
        "hub.sizes.0",
    ]
    coming = replace(asked, brings_gpus=True)
    assert [found.path for found in checks.check(coming, facts)] == ["cluster.storage_class"]


def test_nodes_that_the_stack_makes_say_that_they_have_gpus() -> None:
    """The device plugin goes by it, and so do servers with a GPU."""
    made = KubernetesClusterArgs(kind="eks", api_from=OWN, pools=[SMALL, GPUS])
    label = {"nvidia.com/gpu.present": "true"}
    assert [pool.labels for pool in made.pools] == [{}, label | {"pool": "gpu"}]
    there = KubernetesClusterArgs(pools=[GPUS])
    assert there.pools[0].labels == {"pool": "gpu"}
    assert KubernetesClusterArgs(**made.model_dump(exclude_unset=True)).pools == made.pools
