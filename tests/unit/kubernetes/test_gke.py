"""A cluster on GKE: which resources, with which inputs, and what a change touches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.errors import ConfigError
from tests.unit.kubernetes import managed
from tests.unit.kubernetes.managed import HOME, USERS, Composed, changed, compose
from tests.unit.test_cloud import surround

CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
SCALED = {**USERS, "min": 1, "max": 6}
GPU = {"name": "gpu", "cpus": 4, "memory": "16G", "gpus": 1, "min": 0, "max": 3}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surround(monkeypatch, tmp_path)
    managed.surround(monkeypatch)


@pytest.fixture(scope="module")
def made() -> Any:
    """A cluster with one pool of each kind, made once."""
    with pytest.MonkeyPatch.context() as patch:
        managed.surround(patch)
        spot = {"name": "dask", "spot": True, "labels": {"for": "dask"}, "min": 0, "max": 9}
        taints = ["dask=yes:NoExecute", "slow:NoSchedule"]
        return compose("gke", USERS, GPU, {**spot, "taints": taints})


def node(made: Composed, pool: str) -> dict[str, Any]:
    return dict(made.of(POOL)[f"cluster-{pool}"]["nodeConfig"])


def test_the_control_plane(made: Composed) -> None:
    cluster, options = made.one(CLUSTER)
    assert cluster["name"] == "jupyterhub-class-cluster"
    assert cluster["location"] == "europe-west1-b"
    assert cluster["masterAuthorizedNetworksConfig"] == {
        "cidrBlocks": [{"cidrBlock": HOME}],
        "gcpPublicCidrsAccessEnabled": False,
    }
    assert cluster["privateClusterConfig"] == {
        "enablePrivateNodes": True,
        "enablePrivateEndpoint": False,
    }
    assert cluster["datapathProvider"] == "ADVANCED_DATAPATH"
    assert cluster["workloadIdentityConfig"] == {"workloadPool": "mine.svc.id.goog"}
    assert cluster["enableShieldedNodes"] and cluster["removeDefaultNodePool"]
    assert cluster["nodeConfig"]["serviceAccount"] == "nodes@mine.iam.gserviceaccount.com"
    assert set(options.ignore_changes or []) == {"nodeConfig", "initialNodeCount"}
    assert cluster["releaseChannel"] == {"channel": "REGULAR"}
    assert cluster.get("minMasterVersion") is None
    assert compose("gke", version="1.34").one(CLUSTER)[0]["minMasterVersion"] == "1.34"


def test_a_destroy_can_take_it_away(made: Composed) -> None:
    cluster, options = made.one(CLUSTER)
    assert cluster["deletionProtection"] is False and not options.protect


def test_without_a_zone_it_is_of_the_region() -> None:
    region = replace(managed.site("gcp"), zone=None)
    made = compose("gke", {**USERS, "min": 4}, at=region)
    assert made.one(CLUSTER)[0]["location"] == "europe-west1"
    pool, _ = made.one(POOL)
    assert pool["location"] == "europe-west1"
    assert pool["initialNodeCount"] == 2  # in each of three zones
    assert pool["autoscaling"]["totalMinNodeCount"] == pool["autoscaling"]["totalMaxNodeCount"] == 4
    assert pool.get("nodeCount") is None


def test_the_network_is_its_own_and_lets_nobody_in(made: Composed) -> None:
    subnet, _ = made.one("gcp:compute/subnetwork:Subnetwork")
    assert [each["rangeName"] for each in subnet["secondaryIpRanges"]] == ["pods", "services"]
    assert subnet["privateIpGoogleAccess"]
    assert made.one("gcp:compute/network:Network")[0]["autoCreateSubnetworks"] is False
    nat, _ = made.one("gcp:compute/routerNat:RouterNat")
    assert nat["sourceSubnetworkIpRangesToNat"] == "LIST_OF_SUBNETWORKS"
    assert not made.of("gcp:compute/firewall:Firewall")
    assert "0.0.0.0/0" not in json.dumps(list(made.recorder.inputs.values()), default=str)


def test_nodes_have_an_account_of_their_own(made: Composed) -> None:
    roles = made.of("gcp:projects/iAMMember:IAMMember")
    assert {role["role"] for role in roles.values()} == {
        "roles/container.defaultNodeServiceAccount",
        "roles/artifactregistry.reader",
    }
    member = "serviceAccount:nodes@mine.iam.gserviceaccount.com"
    assert {role["member"] for role in roles.values()} == {member}
    for pool in ("users", "gpu", "dask"):
        assert node(made, pool)["serviceAccount"] == "nodes@mine.iam.gserviceaccount.com"
        assert node(made, pool)["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
        assert node(made, pool)["shieldedInstanceConfig"]["enableSecureBoot"]
    before = made.options(POOL, "cluster-users").depends_on
    names = {each._name for each in before}  # type: ignore[union-attr]
    assert names == {"cluster-defaultNodeServiceAccount", "cluster-reader", "cluster-out"}


def test_pools(made: Composed) -> None:
    pools = made.of(POOL)
    assert pools["cluster-users"]["nodeCount"] == 1
    assert pools["cluster-users"].get("autoscaling") is None
    assert pools["cluster-dask"]["autoscaling"] == {
        "totalMinNodeCount": 0,
        "totalMaxNodeCount": 9,
        "locationPolicy": "ANY",
    }
    assert made.options(POOL, "cluster-dask").ignore_changes == ["initialNodeCount"]
    assert node(made, "users")["machineType"] == "e2-standard-4"
    assert node(made, "users")["diskSizeGb"] == 100
    assert not node(made, "users")["spot"] and node(made, "dask")["spot"]
    assert node(made, "dask")["labels"] == {"for": "dask"}
    assert node(made, "dask")["taints"] == [
        {"key": "dask", "value": "yes", "effect": "NO_EXECUTE"},
        {"key": "slow", "value": "", "effect": "NO_SCHEDULE"},
    ]
    assert node(made, "users")["resourceLabels"]["pulumi-jupyterhub-deployment"] == (
        "jupyterhub-class"
    )


def test_gpus_come_with_their_type_and_their_driver(made: Composed) -> None:
    assert node(made, "users").get("guestAccelerators") is None
    assert node(made, "gpu")["machineType"] == "g2-standard-4"
    driver = {"gpuDriverVersion": "DEFAULT"}
    assert node(made, "gpu")["guestAccelerators"] == [
        {"type": "nvidia-l4", "count": 1, "gpuDriverInstallationConfig": driver}
    ]
    assert node(made, "gpu")["taints"] == []  # GKE's own keeps other pods off


@pytest.mark.parametrize(
    ("pool", "kind", "count"),
    [
        ({"machine_type": "n1-standard-8", "gpu_type": "T4"}, "nvidia-tesla-t4", 1),
        ({"machine_type": "n1-standard-8", "gpu_type": "nvidia-tesla-p4"}, "nvidia-tesla-p4", 1),
        ({"machine_type": "g2-standard-24"}, "nvidia-l4", 2),
        ({"gpu_type": "a100"}, "nvidia-tesla-a100", 1),
    ],
)
def test_gpus_of_every_type(pool: dict[str, str], kind: str, count: int) -> None:
    made = compose("gke", USERS, {**GPU, **pool})
    (gpu,) = node(made, "gpu")["guestAccelerators"]
    assert (gpu["type"], gpu["count"]) == (kind, count)


def test_volumes_attach_to_every_type_that_is_picked() -> None:
    made = compose("gke", {**USERS, "cpus": 48, "memory": "96G"})
    assert node(made, "users")["machineType"] == "n2-standard-96"  # not n4, which takes no pd-*


def test_volumes_outlive_their_claims(made: Composed) -> None:
    classes = made.of("kubernetes:storage.k8s.io/v1:StorageClass")
    kept, shared = classes["cluster-kept"], classes["cluster-shared"]
    assert made.made.storage_class == kept["metadata"]["name"] == "kept"
    assert kept["reclaimPolicy"] == shared["reclaimPolicy"] == "Retain"
    whose = "pulumi-jupyterhub-deployment=jupyterhub-class"
    assert kept["parameters"] == {"type": "pd-balanced", "labels": whose}
    assert shared["parameters"]["network"] == "jupyterhub-class-cluster"
    assert not kept["metadata"]["annotations"]  # GKE has a default


def test_data_keeps_the_control_plane_and_not_the_nodes(made: Composed) -> None:
    kept = managed.kept_with(made.recorder, made.made.ready)
    assert {(CLUSTER, "cluster"), ("gcp:compute/subnetwork:Subnetwork", "cluster")} <= kept
    assert not {kind for kind, _ in kept} & {POOL, "gcp:compute/routerNat:RouterNat"}


def test_the_kubeconfig_is_a_secret_without_a_token(made: Composed) -> None:
    (user,) = made.kubeconfig["users"]
    assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert made.kubeconfig["clusters"][0]["cluster"] == {
        "server": "https://192.0.2.90",
        "certificate-authority-data": "Q0E=",
    }
    assert made.addresses == ["192.0.2.90"]
    provider, _ = made.one("pulumi:providers:kubernetes")
    assert managed.is_secret(provider["kubeconfig"])
    for (kind, name), inputs in made.recorder.inputs.items():
        if kind != "pulumi:providers:kubernetes":
            assert "gke-gcloud-auth-plugin" not in json.dumps(inputs, default=str), name


def test_a_long_name_is_cut_and_stays_this_stacks() -> None:
    names = set()
    for stack in ("winter", "summer"):
        long = f"jupyterhub-the-faculty-of-physics-{stack}"
        made = compose("gke", at=replace(managed.site("gcp"), deployment=long))
        cluster, _ = made.one(CLUSTER)
        account, _ = made.one("gcp:serviceaccount/account:Account")
        assert len(cluster["name"]) <= 40 and len(account["accountId"]) <= 30
        names |= {cluster["name"], account["accountId"]}
    assert len(names) == 4


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"min": 2}, {"cluster-users"}),
        ({"labels": {"a": "b"}}, {"cluster-users"}),
        ({"spot": False, "disk": 200}, {"cluster-users"}),
        ({"memory": "32G"}, {"cluster-users", "cluster-users-type"}),
    ],
)
def test_a_changed_pool_touches_that_pool_only(change: dict[str, Any], touched: set[str]) -> None:
    before, after = compose("gke", SCALED, GPU), compose("gke", {**SCALED, **change}, GPU)
    assert changed(before, after) == touched
    kinds = {kind for kind, _ in managed.changed_keys(before, after)}
    assert kinds <= {POOL, "pulumi:index:Stash"}


def test_another_address_of_mine_changes_the_api_only() -> None:
    before, after = compose("gke"), compose("gke", api_from=["198.51.100.0/24"])
    assert managed.changed_keys(before, after) == {(CLUSTER, "cluster")}


def test_a_preview_without_credentials_asks_nobody() -> None:
    made = compose("gke", SCALED, GPU, preview=True, at=managed.blind("gcp"))
    assert made.of(POOL) and not hasattr(made.recorder, "asked")


def test_without_the_program_for_logins_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(ConfigError, match="found no program `gke-gcloud-auth-plugin`"):
        compose("gke")
    assert compose("gke", preview=True).of(CLUSTER)


def test_a_size_that_nothing_has_is_told_with_its_path() -> None:
    with pytest.raises(pulumi.RunError, match=r"jupyterhub:cluster\.pools\.1: found .*T4"):
        compose("gke", USERS, {**GPU, "gpu_type": "T4"})
