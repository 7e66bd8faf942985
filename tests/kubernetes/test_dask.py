"""A Dask cluster of pods from our worker image computes, also when a worker is lost.

dask-gateway makes such pods of the values that it is given. Its server's chart is in no package
registry: what it would make is said here, with the values that the project hands to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from components import DaskClusterArgs
from components.dask_cluster.kubernetes import chart_values, policy
from tests.checkout import ROOT
from tests.client import eventually
from tests.kubernetes.stack import NOTEBOOK, build_image
from tests.servers.kubernetes import Cluster, kubectl

pytestmark = pytest.mark.timeout(3000)  # the first one may build Kubernetes
NAMESPACE = "dask-t"
IMAGE = "pulumi-jupyterhub/test-dask:1"
COMPUTE = """
import time
from dask.distributed import Client
client = Client("tcp://scheduler:8786", timeout=120)
client.wait_for_workers(2, timeout=120)
def work(x):
    time.sleep(0.1)
    return x * x
futures = client.map(work, range(200))
while sum(f.done() for f in futures) < 30:
    time.sleep(0.05)
print("in the middle", flush=True)
print(sum(client.gather(futures)), flush=True)
"""


@pytest.fixture(scope="module")
def dask(cluster: Cluster, hub: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Scheduler and two workers; the hub has brought the notebook image, which is below this."""
    folder = tmp_path_factory.mktemp("dask")
    build_image(folder, ROOT / "images/dask", IMAGE, BASE_IMAGE=NOTEBOOK)
    cluster.load(IMAGE)
    kubectl(cluster, "create", "namespace", NAMESPACE)
    kubectl(cluster, "-n", NAMESPACE, "apply", "-f", "-", given=yaml.safe_dump_all(_objects()))
    for name in ("scheduler", "worker"):
        status = ["rollout", "status", f"deploy/{name}", "--timeout=300s"]
        kubectl(cluster, "-n", NAMESPACE, *status)
    yield
    kubectl(cluster, "delete", "namespace", NAMESPACE, "--timeout=300s")


def _objects() -> Iterator[dict[str, Any]]:
    args = DaskClusterArgs(workers=2, memory="512M")
    values = chart_values(args, fullname="dask", images=[IMAGE], owner=(1000, 100))
    backend = values["gateway"]["backend"]
    # The node enforces none: this is what its API says to the rules, servers' among them.
    yield {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "pods"},
        "spec": policy("dask", ["10.1.2.0/24", "10.1.2.3:5432"], ["203.0.113.5"]),
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "scheduler"},
        "spec": {"selector": {"dask": "scheduler"}, "ports": [{"port": 8786}]},
    }
    yield _deployment("scheduler", 1, backend["scheduler"], ["dask", "scheduler"])
    worker = ["dask", "worker", "tcp://scheduler:8786", "--no-dashboard"]
    yield _deployment("worker", 2, backend["worker"], worker)


def _deployment(name: str, count: int, of: dict[str, Any], command: list[str]) -> dict[str, Any]:
    resources = {
        kind: {"cpu": of["cores"][kind], "memory": of["memory"][kind]}
        for kind in ("request", "limit")
    }
    container = {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": command,
        "resources": {"limits": resources["limit"], "requests": {"memory": "128Mi", "cpu": "0.1"}},
        **of["extraContainerConfig"],
    }
    labels = {"dask": name}
    pod = {"containers": [container], **of["extraPodConfig"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


@pytest.mark.usefixtures("dask")
def test_a_worker_is_lost_in_the_middle_and_the_answer_is_right(cluster: Cluster) -> None:
    def told(*words: str) -> str:
        return kubectl(cluster, "-n", NAMESPACE, *words)

    run = ["run", "notebook", f"--image={IMAGE}", "--image-pull-policy=Never", "--restart=Never"]
    told(*run, "--command", "--", "python3", "-uc", COMPUTE)
    eventually("the middle", lambda: "in the middle" in told("logs", "notebook"), 180)
    pods = json.loads(told("get", "pods", "-l", "dask=worker", "-o", "json"))["items"]
    told("delete", "pod", pods[0]["metadata"]["name"], "--now")
    told("wait", "pod/notebook", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=300s")
    assert told("logs", "notebook").splitlines()[-1] == str(sum(x * x for x in range(200)))
