"""A stack in a cluster on the real engine: what changes touch, what a destroy leaves.

The cluster is a stand-in: the plugin's objects are in a file, and an API server on loopback answers
what the project itself asks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkout import Checkout
from tests.engine.clouds import FIXTURES, StandInStack
from tests.servers.cluster_api import Cluster
from toolchain.plugins.cloud_standin import CLOUD
from toolchain.plugins.cloud_standin.cloud import FakeCloud


class ClusterStack(StandInStack):
    """A stranger's checkout whose cluster is a file, and its API server a stand-in."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        Checkout.__init__(self, folder, "tkubernetes", 60, {}, seeded=False)
        self.cluster, self.cloud = cluster, FakeCloud(folder / "cloud")
        self.environment |= {CLOUD: str(folder / "cloud")}
        tools = self.root / "toolchain/plugins"
        own = [tools / "cloud_standin/bin", tools / "bin/language", tools / "bin/kubernetes"]
        self.environment["PATH"] = ":".join([*map(str, own), os.environ["PATH"]])
        values = yaml.safe_load((FIXTURES / "kubernetes.happy.minimal.yaml").read_text())["config"]
        values.pop("jupyterhub:secrets")
        self.file.write_text(yaml.safe_dump({"config": values}))
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(cluster.kubeconfig)
        self.merge(cluster={"kubeconfig_file": str(self.kubeconfig)})
        self.seed("kubernetes")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterStack]:
    cluster = Cluster()
    with cluster.listening():
        made = ClusterStack(tmp_path_factory.mktemp("cluster") / "stack", cluster)
        made.make("setup")
        made.up()
        yield made


def of_kind(stack: ClusterStack, kind: str) -> dict[str, dict[str, Any]]:
    return {
        r["inputs"]["metadata"]["name"]: r["inputs"]
        for r in stack.cloud.resources.values()
        if r["type"].endswith(f":{kind}")
    }


def test_names_of_claims_never_change(stack: ClusterStack) -> None:
    """Another name is an empty volume: whoever changes this loses everybody's files."""
    assert sorted(of_kind(stack, "PersistentVolumeClaim")) == [
        "jupyterhub-tkubernetes-certificates",
        "jupyterhub-tkubernetes-shared",
        "jupyterhub-tkubernetes-state",
    ]
    releases = {
        r["inputs"]["name"]: r["inputs"]["version"]
        for r in stack.cloud.resources.values()
        if r["type"].endswith(":Release")
    }
    assert releases == {
        "jupyterhub-tkubernetes-proxy": "41.3.0",
        "jupyterhub-tkubernetes-hub": "4.4.2",
    }


def test_a_second_up_has_nothing_to_do(stack: ClusterStack) -> None:
    assert stack.changes() == {}


def test_a_change_touches_only_what_it_should(stack: ClusterStack) -> None:
    before = stack.file.read_text()
    try:
        # The class of new homes only; claims that are there stay.
        stack.merge(hub={"title": "Physics"}, cluster={"storage_class": "nfs"})
        of_the_hub = stack.changes()
        stack.file.write_text(before)
        stack.merge(
            proxy={"cluster": {"service_annotations": {"a": "b"}}},
            volumes={"shared": {"size": 80}},
        )
        of_others = stack.changes()
    finally:
        stack.file.write_text(before)
    assert of_the_hub == {"Release hub": "update"}
    assert of_others == {"Release proxy": "update", "PersistentVolumeClaim shared": "update"}


def test_dask_comes_with_a_policy_for_its_pods(stack: ClusterStack) -> None:
    before = stack.file.read_text()
    try:
        stack.merge(hub={"reach": ["10.1.2.3:5432"]}, dask={"workers": 2})
        found = stack.changes()
    finally:
        stack.file.write_text(before)
    assert found == {
        "DaskCluster dask": "create",
        "NetworkPolicy dask-pods": "create",
        "Release dask": "create",
        "Release hub": "update",
    }


def test_a_new_kubeconfig_of_the_same_cluster_replaces_nothing(stack: ClusterStack) -> None:
    before = stack.kubeconfig.read_text()
    document = json.loads(before)
    document["users"][0]["user"]["token"] = "rotated"
    try:
        stack.kubeconfig.write_text(json.dumps(document))
        found = stack.changes()
    finally:
        stack.kubeconfig.write_text(before)
    assert set(found) <= {"kubernetes jupyterhub-tkubernetes-cluster"}
    assert "replace" not in found.values()


def test_the_kubeconfig_is_in_the_state_as_a_secret_only(stack: ClusterStack) -> None:
    exported = stack.pulumi("stack", "export", "--stack", stack.stack)
    assert f"127.0.0.1:{stack.cluster.port}" not in exported


def test_another_clusters_kubeconfig_is_refused(stack: ClusterStack) -> None:
    own = stack.cluster.id
    stack.cluster.id = "another"
    try:
        said = stack.pulumi("preview", "--stack", stack.stack, "2>&1", check=False)
    finally:
        stack.cluster.id = own
    assert f"the cluster that this stack is in ({own})" in said


def test_without_a_way_to_the_cluster_a_preview_says_what_it_cannot_tell(
    stack: ClusterStack,
) -> None:
    before = stack.kubeconfig.read_text()
    try:
        stack.kubeconfig.write_text(before.replace(str(stack.cluster.port), "9"))
        said = stack.pulumi("preview", "--stack", stack.stack, "2>&1")
        failed = stack.up("2>&1", check=False)
    finally:
        stack.kubeconfig.write_text(before)
    assert "no way to the cluster" in said and "not checked whether" in said
    assert "can't be reached" in failed and "Nothing was changed" in failed


def test_a_release_left_pending_goes_on_with_the_next_up(stack: ClusterStack) -> None:
    labels = {"owner": "helm", "name": "jupyterhub-tkubernetes-hub", "status": "pending-upgrade"}
    stack.cluster.secrets["sh.helm.release.v1.hub.v2"] = labels
    stack.merge(hub={"title": "Going on"})
    stack.up()
    assert not stack.cluster.secrets


def test_a_destroy_leaves_data_and_namespace(stack: ClusterStack) -> None:
    options = ("--yes", "--skip-preview", "--exclude-protected", "--stack", stack.stack)
    stack.pulumi("destroy", *options)
    left = {r["type"].rsplit(":", 1)[-1] for r in stack.cloud.resources.values()}
    assert left == {"PersistentVolumeClaim", "Namespace"}
    stack.pulumi("state", "unprotect", "--all", "--yes", "--stack", stack.stack)
    stack.pulumi("destroy", "--yes", "--skip-preview", "--stack", stack.stack)
    assert len(of_kind(stack, "PersistentVolumeClaim")) == 3  # retained even so
