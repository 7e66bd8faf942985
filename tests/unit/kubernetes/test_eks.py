"""A cluster on EKS: which resources, with which inputs, and what a change touches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from botocore.exceptions import ClientError

from components.errors import ConfigError
from components.kubernetes_cluster import eks_nodes
from components.kubernetes_cluster.pools import PoolArgs
from tests.unit.kubernetes import managed
from tests.unit.kubernetes.managed import HOME, USERS, Composed, changed, compose
from tests.unit.test_cloud import surround

CLUSTER = "aws:eks/cluster:Cluster"
GROUP = "aws:eks/nodeGroup:NodeGroup"
ADDON = "aws:eks/addon:Addon"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
RELEASE = "kubernetes:helm.sh/v3:Release"
SCALED = {**USERS, "min": 1, "max": 6}
GPU = {"name": "gpu", "cpus": 4, "memory": "16G", "gpus": 1, "gpu_type": "L4", "min": 0, "max": 3}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surround(monkeypatch, tmp_path)
    managed.surround(monkeypatch)


@pytest.fixture(scope="module")
def made() -> Any:
    """A cluster with one pool of each kind, made once."""
    with pytest.MonkeyPatch.context() as patch:
        managed.surround(patch)
        for name in ("register_resource_hook", "_prepare_resource_hooks"):
            patch.setattr(pulumi.runtime.resource, name, managed.nothing)
        patch.setattr(pulumi.resource_hooks, "register_resource_hook", lambda hook: None)
        spot = {"name": "dask", "spot": True, "labels": {"for": "dask"}, "min": 0, "max": 9}
        return compose(
            "eks", USERS, GPU, {**spot, "taints": ["dask=yes:NoExecute", "slow:NoSchedule"]}
        )


def test_the_control_plane(made: Composed) -> None:
    cluster, options = made.one(CLUSTER)
    assert cluster["name"] == "jupyterhub-class-cluster"
    assert cluster["vpcConfig"] == {
        "subnetIds": ["Subnet:cluster-nodes", "Subnet:cluster-other"],
        "endpointPrivateAccess": True,
        "endpointPublicAccess": True,
        "publicAccessCidrs": [HOME],
    }
    assert cluster["accessConfig"] == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": True,
    }
    assert cluster["enabledClusterLogTypes"] == ["audit", "authenticator"]
    assert cluster["upgradePolicy"] == {"supportType": "STANDARD"}
    assert cluster["bootstrapSelfManagedAddons"] is False
    assert cluster["tags"]["course"] == "root"
    logs, _ = made.one("aws:cloudwatch/logGroup:LogGroup")
    assert logs["name"] == "/aws/eks/jupyterhub-class-cluster/cluster"
    assert logs["retentionInDays"] == 30
    # Without its policy EKS couldn't take its interfaces away again.
    before = {each._name for each in options.depends_on}  # type: ignore[union-attr]
    assert before == {"cluster-control-AmazonEKSClusterPolicy", "cluster-logs"}


def test_nobody_upgrades_by_accident(made: Composed) -> None:
    cluster, options = made.one(CLUSTER)
    assert cluster["version"] == "1.35" and options.ignore_changes == ["version"]
    assert all(group.get("version") is None for group in made.of(GROUP).values())
    said = compose("eks", version="1.34")
    cluster, options = said.one(CLUSTER)
    assert cluster["version"] == "1.34" and not options.ignore_changes
    assert said.one(GROUP)[0]["version"] == "1.34"


def test_nothing_is_open_but_the_api_to_those_named(made: Composed) -> None:
    (door,) = made.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule").values()
    assert (door["cidrIpv4"], door["fromPort"], door["toPort"]) == ("10.30.0.0/16", 2049, 2049)
    for kind, name in made.recorder.inputs:
        text = json.dumps(made.recorder.inputs[kind, name], default=str)
        if kind != "aws:ec2/routeTable:RouteTable":
            assert "0.0.0.0/0" not in text, name


def test_nodes_are_behind_a_gateway_in_the_stacks_zone(made: Composed) -> None:
    subnets = made.of("aws:ec2/subnet:Subnet")
    assert {name: subnet["availabilityZone"] for name, subnet in subnets.items()} == {
        "cluster-outside": "eu-central-1a",
        "cluster-nodes": "eu-central-1a",
        "cluster-other": "eu-central-1b",
    }
    assert not any(subnet.get("mapPublicIpOnLaunch") for subnet in subnets.values())
    assert subnets["cluster-outside"]["tags"]["kubernetes.io/role/elb"] == "1"
    tag = "kubernetes.io/cluster/jupyterhub-class-cluster"
    assert subnets["cluster-outside"]["tags"][tag] == "shared"
    routes = made.of("aws:ec2/routeTable:RouteTable")
    assert routes["cluster-out"]["routes"] == [
        {"cidrBlock": "0.0.0.0/0", "natGatewayId": "NatGateway:cluster-out"}
    ]
    ways = made.of("aws:ec2/routeTableAssociation:RouteTableAssociation")
    assert ways["cluster-nodes"]["routeTableId"] == "RouteTable:cluster-out"
    assert all(group["subnetIds"] == ["Subnet:cluster-nodes"] for group in made.of(GROUP).values())
    assert made.recorder.asked["excludeNames"] == ["eu-central-1a"]
    assert "use1-az3" in made.recorder.asked["excludeZoneIds"]
    other = made.options("aws:ec2/subnet:Subnet", "cluster-other")
    assert other.ignore_changes == ["availabilityZone"]


def test_a_node_tells_pods_nothing_and_its_disk_is_encrypted(made: Composed) -> None:
    template = made.of(TEMPLATE)["cluster-users"]
    assert template["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    (disk,) = template["blockDeviceMappings"]
    assert disk["ebs"]["encrypted"] == "true" and disk["ebs"]["volumeSize"] == 100
    tagged = {each["resourceType"]: each["tags"] for each in template["tagSpecifications"]}
    assert tagged["volume"]["pulumi-jupyterhub-deployment"] == "jupyterhub-class"


def test_each_part_may_do_its_own(made: Composed) -> None:
    policies = {
        name: role["policyArn"].rpartition(":policy/")[2]
        for name, role in made.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment").items()
    }
    assert sorted(policies.values()) == [
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEKSClusterPolicy",
        "AmazonEKSWorkerNodePolicy",
        "AmazonEKS_CNI_Policy",
        "service-role/AmazonEBSCSIDriverPolicy",
        "service-role/AmazonEFSCSIDriverPolicy",
    ]
    roles = made.of("aws:iam/role:Role")
    services = {
        name: json.loads(role["assumeRolePolicy"])["Statement"][0]["Principal"]["Service"]
        for name, role in roles.items()
    }
    assert services == {
        "cluster-control": "eks.amazonaws.com",
        "cluster-nodes": "ec2.amazonaws.com",
        "cluster-ebs": "pods.eks.amazonaws.com",
        "cluster-efs": "pods.eks.amazonaws.com",
        "cluster-autoscaler": "pods.eks.amazonaws.com",
    }


def test_the_autoscaler_changes_this_clusters_groups_only(made: Composed) -> None:
    policy = json.loads(made.one("aws:iam/rolePolicy:RolePolicy")[0]["policy"])
    looks, changes = policy["Statement"]
    assert not any("Set" in action or "Terminate" in action for action in looks["Action"])
    tag = "aws:ResourceTag/k8s.io/cluster-autoscaler/jupyterhub-class-cluster"
    assert changes["Condition"] == {"StringEquals": {tag: "owned"}}
    may, _ = made.one("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    release, options = made.one(RELEASE)
    account = release["values"]["rbac"]["serviceAccount"]["name"]
    assert (may["namespace"], may["serviceAccount"]) == (release["namespace"], account)
    assert release["values"]["autoDiscovery"] == {"clusterName": "jupyterhub-class-cluster"}
    assert release["values"]["awsRegion"] == "eu-central-1"
    before = {each._name for each in options.depends_on}  # type: ignore[union-attr]
    assert before >= {"cluster-users", "cluster-autoscaler"}


def test_without_a_pool_that_scales_there_is_no_autoscaler() -> None:
    made = compose("eks")
    assert not made.of(RELEASE)
    group, options = made.one(GROUP)
    assert group["scalingConfig"] == {"minSize": 1, "maxSize": 1, "desiredSize": 1}
    assert not options.ignore_changes  # a changed `min` is what happens


def test_what_the_autoscaler_has_decided_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for running in (None, 4):
        monkeypatch.setattr(eks_nodes, "_running", lambda *_, now=running: now)
        group, options = compose("eks", SCALED).one(GROUP)
        limits = {key: group["scalingConfig"][key] for key in ("minSize", "maxSize")}
        assert limits == {"minSize": 1, "maxSize": 6}
        assert options.ignore_changes == ["scalingConfig.desiredSize"]


@pytest.mark.parametrize(("running", "desired"), [(1, 3), (9, 6)])
def test_new_limits_go_with_a_number_that_is_inside(
    running: int, desired: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eks_nodes, "_running", lambda *_: running)
    group, options = compose("eks", {**SCALED, "min": 3}).one(GROUP)
    assert group["scalingConfig"] == {"minSize": 3, "maxSize": 6, "desiredSize": desired}
    assert not options.ignore_changes


def test_the_autoscalers_number_is_asked_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    asked: list[dict[str, str]] = []

    class Eks:
        def describe_nodegroup(self, **words: str) -> dict[str, Any]:
            asked.append(words)
            if words["nodegroupName"] != "users":
                raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "it")
            return {"nodegroup": {"scalingConfig": {"desiredSize": 4}}}

    monkeypatch.setattr("boto3.client", lambda *_, **__: Eks())
    here, pool = managed.site("aws"), PoolArgs(name="users", max=6)
    assert eks_nodes._running("class", pool, here) == 4
    assert asked == [{"clusterName": "class", "nodegroupName": "users"}]
    assert eks_nodes._running("class", PoolArgs(name="new", max=6), here) is None
    assert eks_nodes._running("class", PoolArgs(name="users"), here) is None
    assert eks_nodes._running("class", pool, managed.blind("aws")) is None
    assert len(asked) == 2


def test_pools(made: Composed) -> None:
    users, gpu, dask = (made.of(GROUP)[f"cluster-{name}"] for name in ("users", "gpu", "dask"))
    templates = made.of(TEMPLATE)
    assert (users["amiType"], gpu["amiType"]) == ("AL2023_x86_64_STANDARD", "AL2023_x86_64_NVIDIA")
    assert templates["cluster-users"]["instanceType"] == "t3.xlarge"
    assert templates["cluster-gpu"]["instanceType"] == "g6.xlarge"
    assert (users["capacityType"], dask["capacityType"]) == ("ON_DEMAND", "SPOT")
    assert users.get("taints") == [] and gpu["taints"] == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
    ]
    assert dask["taints"] == [
        {"key": "dask", "value": "yes", "effect": "NO_EXECUTE"},
        {"key": "slow", "effect": "NO_SCHEDULE"},
    ]
    assert dask["labels"] == {"for": "dask"} and dask["nodeGroupName"] == "dask"
    assert gpu["scalingConfig"] == {"minSize": 0, "maxSize": 3, "desiredSize": 0}
    assert users["updateConfig"] == {"maxUnavailable": 1}
    assert users["launchTemplate"] == {"id": "LaunchTemplate:cluster-users", "version": "3"}


def test_a_type_that_is_named_is_taken() -> None:
    made = compose("eks", {**USERS, "machine_type": "m7g.xlarge"})
    assert made.one(TEMPLATE)[0]["instanceType"] == "m7g.xlarge"
    assert made.one(GROUP)[0]["amiType"] == "AL2023_ARM_64_STANDARD"
    assert not made.of("pulumi:index:Stash")


def test_a_size_that_nothing_has_is_told_with_its_path() -> None:
    with pytest.raises(pulumi.RunError, match=r"jupyterhub:cluster\.pools\.1: found 4 cpus.*A10G"):
        compose("eks", USERS, {**GPU, "gpu_type": "A10G", "gpus": 9})


def test_nodes_wait_for_their_network_and_pods_for_nodes(made: Composed) -> None:
    addons = made.of(ADDON)
    assert json.loads(addons["cluster-vpc-cni"]["configurationValues"]) == {
        "enableNetworkPolicy": "true"
    }
    assert {each["addonName"] for each in addons.values()} == {
        "vpc-cni",
        "kube-proxy",
        "eks-pod-identity-agent",
        "coredns",
        "metrics-server",
        "aws-ebs-csi-driver",
        "aws-efs-csi-driver",
    }
    waits = made.options(GROUP, "cluster-users").depends_on
    before = {each._name for each in waits}  # type: ignore[union-attr]
    assert before >= {"cluster-vpc-cni", "cluster-kube-proxy", "cluster-nodes"}
    assert "cluster-coredns" not in before  # it waits for nodes
    assert addons["cluster-aws-ebs-csi-driver"]["podIdentityAssociations"] == [
        {"roleArn": "arn:Role:cluster-ebs", "serviceAccount": "ebs-csi-controller-sa"}
    ]


def test_volumes_outlive_their_claims(made: Composed) -> None:
    classes = made.of("kubernetes:storage.k8s.io/v1:StorageClass")
    kept, shared = classes["cluster-kept"], classes["cluster-shared"]
    assert made.made.storage_class == kept["metadata"]["name"] == "kept"
    assert kept["reclaimPolicy"] == shared["reclaimPolicy"] == "Retain"
    assert kept["parameters"] == {
        "type": "gp3",
        "encrypted": "true",
        "tagSpecification_1": "pulumi-jupyterhub-deployment=jupyterhub-class",
    }
    assert kept["volumeBindingMode"] == "WaitForFirstConsumer"
    assert shared["parameters"]["fileSystemId"] == "FileSystem:cluster-files"
    files, options = made.one("aws:efs/fileSystem:FileSystem")
    assert files["encrypted"] and options.protect


def test_data_keeps_the_control_plane_and_not_the_nodes(made: Composed) -> None:
    kept = managed.kept_with(made.recorder, made.made.ready)
    assert {(CLUSTER, "cluster"), (ADDON, "cluster-aws-ebs-csi-driver")} <= kept
    gone = {GROUP, RELEASE, TEMPLATE, "aws:ec2/natGateway:NatGateway"}
    assert not {kind for kind, _ in kept} & gone
    # Load balancers are gone before the subnet that they are in.
    assert ("aws:ec2/routeTableAssociation:RouteTableAssociation", "cluster-outside") in kept


def test_the_kubeconfig_is_a_secret_without_a_token(made: Composed) -> None:
    (user,) = made.kubeconfig["users"]
    assert user["user"]["exec"]["command"] == "aws"
    assert user["user"]["exec"]["args"][-4:] == [
        "--cluster-name",
        "jupyterhub-class-cluster",
        "--output",
        "json",
    ]
    assert made.kubeconfig["clusters"][0]["cluster"] == {
        "server": "https://api.example",
        "certificate-authority-data": "Q0E=",
    }
    assert made.addresses == ["https://api.example"]
    for (kind, name), inputs in made.recorder.inputs.items():
        for key, value in inputs.items():
            if "get-token" in str(value):
                assert (kind, key) == ("pulumi:providers:kubernetes", "kubeconfig"), name
                assert managed.is_secret(value)


def test_a_rotated_kubeconfig_replaces_nothing(made: Composed) -> None:
    provider, _ = made.one("pulumi:providers:kubernetes")
    assert provider["clusterIdentifier"] == "jupyterhub-class-inside"


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"min": 2}, {"cluster-users"}),
        ({"labels": {"a": "b"}}, {"cluster-users"}),
        ({"disk": 200}, {"cluster-users"}),
        ({"memory": "32G"}, {"cluster-users", "cluster-users-type"}),
    ],
)
def test_a_changed_pool_touches_that_pool_only(change: dict[str, Any], touched: set[str]) -> None:
    before, after = compose("eks", SCALED, GPU), compose("eks", {**SCALED, **change}, GPU)
    assert changed(before, after) == touched
    kinds = {GROUP, TEMPLATE, "pulumi:index:Stash"}
    assert all(key[0] in kinds for key in managed.changed_keys(before, after))


def test_another_pool_touches_no_other() -> None:
    touched = changed(compose("eks", SCALED), compose("eks", SCALED, GPU))
    assert touched == {"cluster-gpu", "cluster-gpu-type"}


def test_another_address_of_mine_changes_the_api_only() -> None:
    before, after = compose("eks"), compose("eks", api_from=["198.51.100.0/24"])
    assert managed.changed_keys(before, after) == {(CLUSTER, "cluster")}


def test_a_preview_without_credentials_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eks_nodes, "_running", managed.RUNNING)
    monkeypatch.setattr("boto3.client", None)
    made = compose("eks", SCALED, GPU, preview=True, at=managed.blind("aws"))
    assert not hasattr(made.recorder, "asked")
    zone = made.of("aws:ec2/subnet:Subnet")["cluster-other"]["availabilityZone"]
    assert zone == "<looked up: another zone of the region>"


def test_without_the_program_for_logins_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(ConfigError, match=r"found no program `aws` .* Nothing was changed"):
        compose("eks")
    assert compose("eks", preview=True).of(CLUSTER)  # a preview only says so
