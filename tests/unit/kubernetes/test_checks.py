"""What a cluster is asked before anything is made; the API server is a stand-in on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from components import ConfigError, KubernetesClusterArgs
from components.jupyterhub_host.servers import ServerSizeArgs
from components.kubernetes_cluster import api
from components.kubernetes_cluster.checks import Asked, check
from components.platforms import charts
from components.preflight import notes, refused
from components.shared_volume.args import SharedVolumeArgs
from stacks import cluster_checks
from stacks.cluster import identity
from tests.servers.cluster_api import Cluster

ASKED = Asked(
    namespace="jupyterhub-test",
    releases=["jupyterhub-test-hub"],
    storage_class=None,
    ingress_class=None,
    volumes={"shared": SharedVolumeArgs(kind="claim")},
    sizes={},
)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    with made.listening():
        yield made


def faults(cluster: Cluster, asked: Asked = ASKED) -> list[str]:
    found = check(asked, api.look(api.client(cluster.kubeconfig, None), asked.namespace))
    assert not notes(found)
    return refused(found)


def test_nothing_to_say(cluster: Cluster) -> None:
    cluster.secrets["sh.helm.release.v1.hub.v1"] = {
        "owner": "helm",
        "name": "jupyterhub-test-hub",
        "status": "deployed",
    }
    assert faults(cluster) == []


def test_a_missing_storage_class_is_told_with_those_that_exist(cluster: Cluster) -> None:
    volumes = {"shared": SharedVolumeArgs(kind="claim", type="slow")}
    assert faults(cluster, replace(ASKED, storage_class="fast", volumes=volumes)) == [
        "jupyterhub:cluster.storage_class: found `fast`; allowed: one that exists: standard, nfs",
        "jupyterhub:volumes.shared.type: found `slow`; allowed: one that exists: standard, nfs",
    ]


def test_without_a_default_class_one_has_to_be_named(cluster: Cluster) -> None:
    cluster.default_class = None
    (fault,) = faults(cluster)
    assert "found nothing, and no default class; allowed: one that exists: nfs, stand" in fault


def test_a_claim_that_is_not_there(cluster: Cluster) -> None:
    cluster.claims = ["course"]
    volumes = {"shared": SharedVolumeArgs(kind="claim", volume="courses")}
    assert faults(cluster, replace(ASKED, volumes=volumes)) == [
        "jupyterhub:volumes.shared.volume: found `courses`; allowed: a claim: course"
    ]


def test_an_ingress_class_that_is_not_there(cluster: Cluster) -> None:
    assert faults(cluster, replace(ASKED, ingress_class="traefik")) == [
        "jupyterhub:proxy.cluster.ingress_class: found `traefik`; allowed: one that exists: nginx"
    ]


def test_a_size_that_no_node_holds(cluster: Cluster) -> None:
    sizes = {
        "hub.sizes.0": ServerSizeArgs(title="fits", memory_limit="8G", memory_guarantee="8G"),
        "hub.sizes.1": ServerSizeArgs(title="GPU", gpus=1),
    }
    (fault,) = faults(cluster, replace(ASKED, sizes=sizes))
    assert fault.startswith("jupyterhub:hub.sizes.1: found 0.2 GiB, 0 cores, 1 GPUs")
    assert fault.endswith("at most 16.0 GiB, 3.92 cores, 0 GPUs")
    assert faults(cluster, replace(ASKED, sizes=sizes, has_pools=True)) == []  # they may scale


def test_a_namespace_with_somebody_elses_release(cluster: Cluster) -> None:
    cluster.secrets["x"] = {"owner": "helm", "name": "their-hub", "status": "deployed"}
    (fault,) = faults(cluster)
    assert "holds somebody else's release: their-hub" in fault


def test_a_release_that_was_left_pending_goes_on(cluster: Cluster) -> None:
    for number, (name, status) in enumerate(
        [("hub", "deployed"), ("hub", "pending-upgrade"), ("other", "pending-install")]
    ):
        cluster.secrets[f"v{number}"] = {"owner": "helm", "name": name, "status": status}
    client = api.client(cluster.kubeconfig, None)
    assert api.let_go_on(client, "jupyterhub-test", "hub") == ["v1"]
    assert sorted(cluster.secrets) == ["v0", "v2"]


def test_a_release_that_only_the_cluster_knows_is_made_anew(cluster: Cluster) -> None:
    """The state was lost, or forgot a cluster that was away: Helm would refuse the name."""
    cluster.secrets["v1"] = {"owner": "helm", "name": "hub", "status": "deployed"}
    cluster.secrets["v2"] = {"owner": "helm", "name": "other", "status": "deployed"}
    client = api.client(cluster.kubeconfig, None)
    assert api.let_go_on(client, "jupyterhub-test", "hub", is_new=True) == ["v1"]
    assert sorted(cluster.secrets) == ["v2"]


@pytest.mark.parametrize(("is_own", "left"), [(True, []), (False, ["v1"])])
def test_a_live_release_is_taken_over_only_in_a_cluster_that_the_stack_made(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, is_own: bool, left: list[str]
) -> None:
    """In one that others made it may be another state's hub, with people on it."""
    cluster.secrets["v1"] = {"owner": "helm", "name": "jupyterhub-test-hub", "status": "deployed"}
    monkeypatch.setattr(pulumi, "ResourceHook", lambda _, callback: callback)
    known: Any = SimpleNamespace(
        kubeconfig=SimpleNamespace(apply=lambda take: take(cluster.kubeconfig)),
        context=None,
        namespace="jupyterhub-test",
        named=lambda name: f"jupyterhub-test-{name}",
        is_own=is_own,
    )
    before_create: Any = charts._hook("hub", known)
    before_create(SimpleNamespace(old_inputs=None))
    assert sorted(cluster.secrets) == left


def test_a_cluster_made_another_way_is_another_one() -> None:
    """Data is in the first: an empty one in its place would look like lost homes."""
    k3s = identity(KubernetesClusterArgs(kind="k3s", cloud="aws"))
    assert k3s == "k3s in aws"
    cluster_checks._same(k3s, k3s)
    for known in ("k3s in gcp", "9f0c-of-kube-system"):
        with pytest.raises(ConfigError, match="found another cluster"):
            cluster_checks._same(known, k3s)
