"""What is made for a user before a server with Spark starts; the cluster's API is a stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from hubkit import spark
from hubkit.spark import SparkSpawner, Told
from kubernetes_asyncio.client.rest import ApiException
from kubespawner import KubeSpawner
from traitlets.config import Config

from components import SparkArgs
from components.spark.kubernetes import document

T = TypeVar("T")
TOLD = Told.model_validate(
    json.loads(
        json.dumps(
            document(
                SparkArgs(api=["10.0.0.7/32"], reach=["10.9.0.0/16"]), "jupyterhub-class", "spark"
            )
        )
    )
)


class Api:
    """Keeps what it is asked for; what is `there` it has already."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self.there = False
        self.broken: int | None = None

    def __getattr__(self, name: str) -> Any:
        async def ask(*words: Any, **more: Any) -> None:
            self.asked.append((name, (*words, more) if more else words))
            if self.broken:
                raise ApiException(status=self.broken, reason="broken")
            if self.there and name.startswith("create"):
                raise ApiException(status=409)

        return ask

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [words for asked, words in self.asked if asked == name]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **_: None)
    monkeypatch.setattr("kubespawner.spawner.shared_client", lambda _: made)
    monkeypatch.setattr(spark, "shared_client", lambda _: made)
    return made


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """In a loop of its own: other tests keep theirs."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


def spawner(name: str = "anna") -> SparkSpawner:
    user = SimpleNamespace(name=name, id=7, url="/user/x", server=None, admin=False)
    made = SparkSpawner(user=user, config=Config(), told=TOLD, _mock=True)
    made.namespace = "jupyterhub-class"
    return made


def prepared(api: Api, name: str = "anna") -> Api:
    run(spark.prepare(spawner(name)))
    return api


def test_walls_are_up_before_anybody_may_make_pods(api: Api) -> None:
    prepared(api)
    assert [name for name, _ in api.asked] == [
        "create_namespace",
        "create_namespaced_resource_quota",
        "create_namespaced_network_policy",
        "create_namespaced_network_policy",
        "create_namespaced_service_account",
        "create_namespaced_role_binding",
    ]
    ((namespace,),) = api.named("create_namespace")
    assert namespace["metadata"]["name"] == "jupyterhub-class--spark--anna"
    assert namespace["metadata"]["labels"] == {
        "pulumi-jupyterhub/deployment": "jupyterhub-class",
        "pulumi-jupyterhub/role": "spark",
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    ((where, quota),) = api.named("create_namespaced_resource_quota")
    assert where == "jupyterhub-class--spark--anna" and quota["spec"]["hard"]["pods"] == "4"


def test_the_account_of_a_server_reaches_its_users_namespace_only(api: Api) -> None:
    prepared(api)
    ((where, account),) = api.named("create_namespaced_service_account")
    assert where == "jupyterhub-class"
    ((there, binding),) = api.named("create_namespaced_role_binding")
    assert there == account["metadata"]["name"] == "jupyterhub-class--spark--anna"
    assert binding["roleRef"]["name"] == "jupyterhub-class-spark"
    assert binding["subjects"] == [
        {
            "kind": "ServiceAccount",
            "name": "jupyterhub-class--spark--anna",
            "namespace": "jupyterhub-class",
        }
    ]


def test_executors_meet_their_own_driver_and_no_other(api: Api) -> None:
    prepared(api)
    (there, executors), (here, driver) = api.named("create_namespaced_network_policy")
    ports = [{"port": 20000, "endPort": 20199, "protocol": "TCP"}]
    assert (there, here) == ("jupyterhub-class--spark--anna", "jupyterhub-class")
    of_anna = {"matchLabels": {"hub.jupyter.org/username": "anna"}}
    assert driver["spec"]["podSelector"] == of_anna
    (entry,) = driver["spec"]["ingress"]
    name = {"matchLabels": {"kubernetes.io/metadata.name": "jupyterhub-class--spark--anna"}}
    assert entry == {"from": [{"namespaceSelector": name}], "ports": ports}
    assert executors["spec"]["podSelector"] == {}
    (entry,) = executors["spec"]["ingress"]
    among, drivers = entry["from"]
    assert among == {"podSelector": {}} and drivers["podSelector"] == of_anna
    assert entry["ports"] == ports


def test_executors_reach_the_internet_and_what_was_named_but_no_metadata(api: Api) -> None:
    prepared(api)
    (_, executors), _ = api.named("create_namespaced_network_policy")
    internet, further = executors["spec"]["egress"][-1]["to"]
    assert "169.254.0.0/16" in internet["ipBlock"]["except"]
    assert "10.0.0.0/8" in internet["ipBlock"]["except"]
    assert further == {"ipBlock": {"cidr": "10.9.0.0/16"}}


PEOPLE = ["anna", "Anna", "anna.rossi@unipd.it", "anna--b", "a" * 60, "a" * 61, "b--spark--c"]


def test_no_two_users_have_the_same_namespace() -> None:
    names = {TOLD.namespace(user) for user in PEOPLE}
    assert len(names) == len(PEOPLE)
    assert all(len(name) <= 63 and name.startswith(TOLD.prefix) for name in names)
    # Of two stacks neither: what one calls a user can't look like another stack's beginning.
    assert all("--spark--" not in name.removeprefix(TOLD.prefix) for name in names)


def test_what_is_there_gets_todays_limits(api: Api) -> None:
    api.there = True
    prepared(api)
    patched = [name for name, _ in api.asked if name.startswith("patch")]
    assert patched == [
        "patch_namespaced_resource_quota",
        "patch_namespaced_network_policy",
        "patch_namespaced_network_policy",
    ]
    first, second = api.named("patch_namespaced_network_policy")
    assert first[:2] == ("executors", "jupyterhub-class--spark--anna")
    assert second[:2] == ("jupyterhub-class--spark--anna", "jupyterhub-class")


def test_without_walls_no_server_starts(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    async def start(self: Any) -> str:
        started.append(self.service_account)
        return "address"

    monkeypatch.setattr(KubeSpawner, "_start", start)
    assert run(spawner()._start()) == "address"
    assert started == ["jupyterhub-class--spark--anna"]
    api.broken = 403
    with pytest.raises(ApiException):
        run(spawner()._start())
    assert len(started) == 1


def test_a_notebook_knows_its_executors(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KubeSpawner, "get_env", lambda self: {"JUPYTER_IMAGE": self.image})
    made = spawner()
    made.image = "ghcr.io/you/spark:1"
    env = made.get_env()
    assert env["SPARK_DRIVER_HOST"] == {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    told = env["PYSPARK_SUBMIT_ARGS"].split()
    assert "spark.driver.host=$(SPARK_DRIVER_HOST)" in told
    assert "spark.driver.bindAddress=$(SPARK_DRIVER_HOST)" in told
    assert "spark.kubernetes.namespace=jupyterhub-class--spark--anna" in told
    assert "spark.kubernetes.container.image=ghcr.io/you/spark:1" in told
    assert told[-1] == "pyspark-shell"


def test_executors_go_with_their_server(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop(self: Any, now: bool = False) -> None:
        api.asked.append(("stop", (now,)))

    monkeypatch.setattr(KubeSpawner, "stop", stop)
    made = spawner()
    run(made.stop(now=True))
    assert [name for name, _ in api.asked] == ["stop", "delete_collection_namespaced_pod"]
    ((where, options),) = api.named("delete_collection_namespaced_pod")
    assert where == "jupyterhub-class--spark--anna"
    assert options == {"label_selector": f"pulumi-jupyterhub/server={made.pod_name}"}
    api.broken = 500
    run(made.stop())  # it is stopped all the same


def test_a_hub_without_spark_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spark, "SETTINGS", tmp_path / "spark.json")
    assert spark.load() is None
    (tmp_path / "spark.json").write_text(TOLD.model_dump_json())
    assert spark.load() == TOLD
