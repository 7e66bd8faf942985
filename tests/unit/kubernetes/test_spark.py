"""Spark in a cluster: the rights that are made, what hub and notebooks are told."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from hubkit.spark import Told

from components import KubernetesCluster, Spark, SparkArgs
from components.config import parse
from components.errors import ConfigError
from components.kubernetes_cluster.args import KubernetesClusterArgs
from components.kubernetes_cluster.pools import PoolArgs
from components.platforms.kubernetes import NO_WAY
from components.spark import kubernetes
from tests.unit.kubernetes.test_hub_values import HUB, MINIMAL, PYTHON
from tests.unit.test_cloud import surround
from tests.unit.test_components import Recorder

API = ["10.0.0.7/32"]  # as a cluster tells its own
CLASS = "jupyterhub-class"
SPOT = PoolArgs(name="spot", labels={"pool": "spot"}, taints=["spot=yes:NoSchedule"])


def told(**args: Any) -> dict[str, Any]:
    return kubernetes.for_hub(
        SparkArgs(**{"api": API, **args}), deployment=CLASS, owner=(1000, 100), pools=[SPOT]
    )


def settings(**args: Any) -> dict[str, str]:
    text = told(**args)["singleuser"]["extraFiles"]["spark-defaults.conf"]["stringData"]
    return dict(line.split(" ", 1) for line in text.splitlines())


def test_the_hub_reads_what_it_is_told() -> None:
    values = told(executors=3, cores=2, memory="4GiB", reach=["10.1.0.0/16"])
    file = values["hub"]["extraFiles"]["spark.json"]
    assert file["mountPath"] == "/etc/jupyterhub/spark.json"
    document = Told.model_validate_json(file["stringData"])
    assert document.prefix == f"{CLASS}--spark--" and document.role == f"{CLASS}-spark"
    assert document.quota == {
        "pods": "3",
        "limits.cpu": "6",
        "limits.memory": "12288Mi",
        "persistentvolumeclaims": "0",
        "services": "0",
        "requests.nvidia.com/gpu": "0",
    }
    assert document.reach == ["10.1.0.0/16"] and document.ports == (20000, 20199)


def test_an_executor_takes_what_was_said_and_not_more() -> None:
    found = settings(executors=3, cores=2, memory="4GiB", idle=60)
    heap, beside = found["spark.executor.memory"], found["spark.executor.memoryOverhead"]
    assert (heap, beside) == ("2457m", "1639m")
    assert int(heap[:-1]) + int(beside[:-1]) == 4096
    assert found["spark.kubernetes.executor.limit.cores"] == "2"
    assert found["spark.dynamicAllocation.maxExecutors"] == "3"
    assert found["spark.dynamicAllocation.executorIdleTimeout"] == "60s"


def test_who_talks_shows_that_it_may_and_nobody_listens() -> None:
    found = settings()
    assert found["spark.authenticate"] == found["spark.network.crypto.enabled"] == "true"
    assert found["spark.driver.port"] == "20000"
    assert found["spark.driver.blockManager.port"] == found["spark.blockManager.port"] == "20100"


def test_ones_own_settings_win_but_for_where_executors_are() -> None:
    assert settings(settings={"spark.executor.memory": "1g"})["spark.executor.memory"] == "1g"
    with pytest.raises(ConfigError, match="is said for each user"):
        SparkArgs(api=API, settings={"spark.kubernetes.namespace": "kube-system"})
    with pytest.raises(ConfigError, match="is not like spark"):
        SparkArgs(api=API, settings={"spark.a b": "c"})


def test_an_executor_passes_where_only_restricted_pods_do() -> None:
    text = told(pool="spot")["singleuser"]["extraFiles"]["executor.yaml"]["stringData"]
    spec = json.loads(text)["spec"]
    assert not spec["automountServiceAccountToken"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["nodeSelector"] == {"pool": "spot"}
    assert spec["tolerations"][0]["value"] == "yes"
    assert (
        "nodeSelector"
        not in json.loads(told()["singleuser"]["extraFiles"]["executor.yaml"]["stringData"])["spec"]
    )


def test_a_driver_may_make_pods_and_nothing_else() -> None:
    (rule,) = kubernetes.DRIVER
    assert rule["resources"] == ["pods"] and rule["apiGroups"] == [""]


def test_the_hub_may_read_nothing_and_give_one_role_only() -> None:
    rules = kubernetes.hub_rules("drivers")
    verbs = {verb for rule in rules for verb in rule["verbs"]}
    assert verbs == {"create", "patch", "bind", "deletecollection"}
    (bind,) = [rule for rule in rules if rule["verbs"] == ["bind"]]
    assert bind["resourceNames"] == ["drivers"]


def test_every_right_of_the_hub_is_inside_the_fence() -> None:
    """A right that the fence doesn't look at would be one in every namespace of the cluster."""
    fence = kubernetes.fence_spec("x--spark--", "physics")["matchConstraints"]["resourceRules"]
    looked_at = {(rule["apiGroups"][0], r) for rule in fence for r in rule["resources"]}
    rights = {
        (rule["apiGroups"][0], resource)
        for rule in kubernetes.hub_rules("drivers")
        for resource in rule["resources"]
        if rule["verbs"] != ["bind"]
    }
    assert rights == looked_at
    assert all(set(rule["operations"]) == {"CREATE", "UPDATE", "DELETE"} for rule in fence)


@pytest.fixture
def _engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surround(monkeypatch, tmp_path)
    (tmp_path / "config").write_text(NO_WAY)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))


def composed(deployment: str) -> Recorder:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="jupyterhub", stack="test", preview=False)
    pulumi.runtime.register_stack_transformation(recorder.transform)

    @pulumi.runtime.test
    def run() -> None:
        cluster = KubernetesCluster.connect(deployment, KubernetesClusterArgs())
        Spark("spark", SparkArgs(api=API), cluster)

    run()
    return recorder


@pytest.mark.usefixtures("_engine")
def test_what_is_made() -> None:
    recorder = composed(CLASS)
    kinds = {name: kind.rsplit(":", 1)[-1] for name, kind in recorder.types.items()}
    assert kinds["spark-driver"] == kinds["spark-hub-role"] == "ClusterRole"
    assert kinds["spark-executors"] == kinds["spark-hub"] == "ValidatingAdmissionPolicy"
    assert recorder.inputs["spark-driver"]["metadata"]["name"] == f"{CLASS}-spark"
    (who,) = recorder.inputs["spark-hub-may"]["subjects"]
    assert (who["name"], who["namespace"]) == ("hub", CLASS)
    for name in ("spark-hub-holds", "spark-executors-holds"):
        assert recorder.inputs[name]["spec"]["validationActions"] == ["Deny"]
    condition = recorder.inputs["spark-hub"]["spec"]["matchConditions"][0]["expression"]
    assert condition == f"request.userInfo.username == 'system:serviceaccount:{CLASS}:hub'"
    # Users' pods aren't looked at elsewhere.
    constraints = recorder.inputs["spark-executors"]["spec"]["matchConstraints"]
    assert constraints["namespaceSelector"]["matchLabels"] == {
        "pulumi-jupyterhub/deployment": CLASS,
        "pulumi-jupyterhub/role": "spark",
    }
    assert recorder.options["spark-hub-may"].depends_on


@pytest.mark.usefixtures("_engine")
def test_a_stack_with_too_long_a_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="shorter name"):
        composed("jupyterhub-of-the-whole-university-and-friends")


def test_what_is_refused() -> None:
    def stack(spark: dict[str, Any], **hub: Any) -> None:
        given = {"login": {"users": ["anna"]}, "image": HUB, "images": [PYTHON]} | hub
        parse(MINIMAL | {"hub": given, "spark": {"api": API} | spark}, "here")

    stack({})
    with pytest.raises(ConfigError, match=r"spark\.pool: found spot; allowed: a pool with labels"):
        stack({"pool": "spot"})
    with pytest.raises(ConfigError, match=r"hub\.pods\.pull_secrets: found mine"):
        stack({}, pods={"pull_secrets": ["mine"]})
    local = {"platform": "local", "spark": {"api": API}}
    names = ("cookie_secret", "crypt_key", "class_password", "admin_password")
    with pytest.raises(ConfigError, match="spark: found this section; allowed: not on local"):
        parse(local | {"secrets": dict.fromkeys(names, "0" * 64)}, "here")


def test_a_stack_with_spark_tells_its_hub() -> None:
    from stacks import kubernetes as wiring

    hub = {"login": {"users": ["anna"]}, "image": HUB, "images": [PYTHON | {"uid": 1234}]}
    made = parse(MINIMAL | {"hub": hub, "spark": {"api": API, "cores": 2}}, "here")
    cluster: Any = SimpleNamespace(named=f"{CLASS}-{{}}".format, deployment=CLASS)
    values = wiring._hub_args(made, cluster).values
    pod = json.loads(values["singleuser"]["extraFiles"]["executor.yaml"]["stringData"])
    assert pod["spec"]["securityContext"]["runAsUser"] == 1234
    assert values["singleuser"]["extraEnv"] == {"SPARK_CONF_DIR": "/etc/spark"}
