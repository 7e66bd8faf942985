"""What is refused of a managed cluster before anything is asked."""

from __future__ import annotations

from typing import Any

import pytest

from components.errors import ConfigError
from components.kubernetes_cluster.args import KubernetesClusterArgs

OK: dict[str, Any] = {"kind": "eks", "api_from": ["192.0.2.7/32"], "pools": [{"name": "users"}]}


@pytest.mark.parametrize(
    "pool", [{"min": 0, "max": 3}, {"gpus": 1}, {"spot": True}, {"taints": ["a:NoExecute"]}]
)
def test_some_pool_takes_the_clusters_own_pods(pool: dict[str, Any]) -> None:
    KubernetesClusterArgs(**OK)
    with pytest.raises(ConfigError, match="needs a pool for the cluster's own pods and the hub"):
        KubernetesClusterArgs(**{**OK, "pools": [{"name": "users", **pool}]})


def test_a_version_is_one_that_the_cloud_has() -> None:
    KubernetesClusterArgs(**OK, version="1.34")
    with pytest.raises(ConfigError, match=r"version of eks is like 1\.34"):
        KubernetesClusterArgs(**OK, version="v1.34.2+k3s1")


def test_a_gpu_type_goes_with_gpus() -> None:
    with pytest.raises(ConfigError, match="gpu_type goes with gpus"):
        KubernetesClusterArgs(**{**OK, "pools": [{"name": "users", "gpu_type": "T4"}]})
