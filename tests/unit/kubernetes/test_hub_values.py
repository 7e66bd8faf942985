"""JupyterHubHost in a cluster: each arg becomes exactly these values of Zero to JupyterHub."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
import pytest

from components.config import StackConfig, parse
from components.images import EgressArgs
from components.jupyterhub_host.kubernetes import literal, network_policy, slug
from components.platforms.policies import names
from components.platforms.reach import PRIVATE
from tests.unit.kubernetes.values import hub_values, read

MINIMAL: dict[str, Any] = {
    "platform": "kubernetes",
    "proxy": {"tls": {"kind": "self_signed"}},
    "secrets": dict.fromkeys(("cookie_secret", "crypt_key", "roster_key"), "0" * 64),
}
HUB = {"reference": "ghcr.io/you/hubs/hub:1"}
PYTHON = {"title": "Python", "source": {"reference": "ghcr.io/you/hubs/notebook:1"}}


def stack(**hub: Any) -> StackConfig:
    given = {"login": {"users": ["anna"]}, "image": HUB, "images": [PYTHON]} | hub
    return parse(MINIMAL | {"hub": given}, "here")


def at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values[int(key)] if isinstance(values, list) else values[key]
    return values


GIB = 1024**3
CASES: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "hub.image", {"name": "ghcr.io/you/hubs/hub", "tag": "1"}),
    ({}, "singleuser.image", {"name": "ghcr.io/you/hubs/notebook", "tag": "1"}),
    (
        {"image": {"reference": "host:5000/hub@sha256:ab"}},
        "hub.image",
        {"name": "host:5000/hub@sha256", "tag": "ab"},
    ),
    (
        {"image": {"reference": "host:5000/hub"}},
        "hub.image",
        {"name": "host:5000/hub", "tag": "latest"},
    ),
    ({}, "singleuser.profileList", []),
    ({}, "singleuser.memory", {"limit": 2_000_000_000, "guarantee": 256_000_000}),
    (
        {"images": [PYTHON | {"memory_limit": None, "memory_guarantee": "1GiB"}]},
        "singleuser.memory",
        {"limit": None, "guarantee": GIB},
    ),
    (
        {"images": [PYTHON | {"cpu_limit": 2, "cpu_guarantee": 0.5}]},
        "singleuser.cpu",
        {"limit": 2, "guarantee": 0.5},
    ),
    (
        {"images": [PYTHON | {"gpus": 2}]},
        "singleuser.extraResource",
        {"limits": {"nvidia.com/gpu": "2"}, "guarantees": {"nvidia.com/gpu": "2"}},
    ),
    ({"images": [PYTHON | {"uid": 1234, "gid": 5}]}, "singleuser.uid", 1234),
    ({"images": [PYTHON | {"uid": 1234, "gid": 5}]}, "singleuser.fsGid", 5),
    (
        {"images": [PYTHON | {"command": ["start", "lab"]}]},
        "singleuser.cmd",
        ["start", "lab"],
    ),
    ({"environment": {"A": "b"}}, "singleuser.extraEnv.A", "b"),
    # KubeSpawner fills in what is in single braces, and no server would start.
    ({"environment": {"A": '{"b": 1}'}}, "singleuser.extraEnv.A", '{{"b": 1}}'),
    (
        {"images": [PYTHON | {"environment": {"A": "{b}"}}, PYTHON | {"title": "Other"}]},
        "singleuser.profileList.0.kubespawner_override.environment.A",
        "{{b}}",
    ),
    ({"images": [PYTHON | {"environment": {"A": "c"}}]}, "singleuser.extraEnv.A", "c"),
    (
        {"images": [PYTHON | {"shared_memory": "1GiB"}]},
        "singleuser.storage.extraVolumes.1",
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": GIB}},
    ),
    ({"images": [PYTHON | {"home": "/home/me"}]}, "singleuser.storage.homeMountPath", "/home/me"),
    ({"spawn_concurrency": 7}, "hub.concurrentSpawnLimit", 7),
    ({"admin_access": True, "shared_origin": True}, "hub.config.JupyterHub.admin_access", True),
    ({}, "hub.config.JupyterHub", {"authenticator_class": "null", "admin_access": False}),
    ({}, "cull", {"enabled": False}),
    ({"pods": {"pull_ahead": False}}, "prePuller.hook.enabled", False),
    ({"pods": {"pull_ahead": False}}, "prePuller.continuous.enabled", False),
    ({}, "prePuller.hook.enabled", True),
    ({"pods": {"placeholders": 4}}, "scheduling.userPlaceholder", {"enabled": True, "replicas": 4}),
    ({"pods": {"placeholders": 4}}, "scheduling.podPriority.enabled", True),
    ({"pods": {"nodes": {"a": "b"}}}, "singleuser.nodeSelector", {"a": "b"}),
    ({"pods": {"core_nodes": {"a": "b"}}}, "hub.nodeSelector", {"a": "b"}),
    ({"pods": {"core_nodes": {"a": "b"}}}, "proxy.chp.nodeSelector", {"a": "b"}),
    ({"pods": {"disruption_budgets": True}}, "hub.pdb.enabled", True),
    ({"pods": {"disruption_budgets": True}}, "proxy.chp.pdb.enabled", True),
    ({"pods": {"pull_secrets": ["x"]}}, "imagePullSecrets", [{"name": "x"}]),
    ({"pods": {"start_timeout": 30}}, "singleuser.startTimeout", 30),
    ({"pods": {"database": "postgresql://a"}}, "hub.existingSecret", "jupyterhub-test-hub-secrets"),
    ({}, "proxy.service.type", "ClusterIP"),
    ({}, "ingress.annotations", {"kubernetes.io/ingress.class": "jupyterhub-test-proxy"}),
    ({"values": {"hub": {"pdb": {"enabled": True}}}}, "hub.pdb.enabled", True),
    ({"values": {"hub": {"pdb": {"minAvailable": 0}}}}, "hub.pdb.enabled", False),
]


@pytest.mark.parametrize(("hub", "path", "value"), CASES)
def test_an_arg_becomes_a_value(hub: dict[str, Any], path: str, value: Any) -> None:
    assert at(hub_values(stack(**hub)), path) == value


def test_the_database_is_on_a_volume_that_no_release_takes_away() -> None:
    hub = hub_values(read("minimal"))["hub"]
    assert hub["db"] == {"type": "other", "url": "sqlite:///jupyterhub.sqlite", "upgrade": True}
    claim = {"claimName": "jupyterhub-test-state"}
    assert {"name": "state", "persistentVolumeClaim": claim} in hub["extraVolumes"]
    assert {"name": "state", "mountPath": "/srv/state"} in hub["extraVolumeMounts"]


def test_names_of_users_claims_are_said_here_and_never_change() -> None:
    """A changed template looks like lost homes to everybody."""
    storage = hub_values(read("minimal"))["singleuser"]["storage"]
    assert storage["type"] == "dynamic"
    assert storage["capacity"] == "10Gi"
    assert storage["dynamic"] == {
        "pvcNameTemplate": "claim-{username}",
        "volumeNameTemplate": "home",
        "storageClass": None,
    }


def test_homes_on_one_file_system_have_a_folder_each() -> None:
    values = hub_values(read("full"))["singleuser"]
    assert values["storage"]["type"] == "static"
    assert values["storage"]["static"] == {
        "pvcName": "jupyterhub-test-homes",
        "subPath": "{escaped_username}",
    }
    (folders,) = values["initContainers"]
    assert folders["volumeMounts"] == [
        {"name": "shared", "mountPath": "/own/shared", "subPath": "{username}"},
        {"name": "home", "mountPath": "/own/home", "subPath": "{escaped_username}"},
    ]
    assert folders["securityContext"]["capabilities"] == {
        "drop": ["ALL"],
        "add": ["CHOWN", "FOWNER"],
    }


def test_the_shared_folder_is_to_read_but_for_ones_own() -> None:
    mounts = hub_values(read("minimal"))["singleuser"]["storage"]["extraVolumeMounts"]
    assert mounts[:2] == [
        {"name": "shared", "mountPath": "/home/jovyan/shared", "readOnly": True},
        {
            "name": "shared",
            "mountPath": "/home/jovyan/shared/{username}",
            "subPath": "{username}",
        },
    ]


def test_servers_reach_neither_each_other_nor_metadata_nor_private_addresses() -> None:
    values = hub_values(read("minimal"))["singleuser"]
    policy = values["networkPolicy"]
    assert policy["enabled"] and policy["ingress"] == [] and policy["allowedIngressPorts"] == []
    assert policy["interNamespaceAccessLabels"] == "ignore"
    rules = policy["egressAllowRules"]
    assert not rules["cloudMetadataServer"] and not rules["privateIPs"]
    assert not rules["nonPrivateIPs"] and rules["dnsPortsKubeSystemNamespace"]
    assert values["cloudMetadata"]["blockWithIptables"]
    assert policy["egress"] == [INTERNET, names()]


INTERNET = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE)}}]}


def test_what_the_stack_names_can_be_reached() -> None:
    named = ["10.1.2.0/24", "10.1.2.3:5432"]
    policy = hub_values(stack(reach=named))["singleuser"]["networkPolicy"]
    ports = [{"port": 5432, "protocol": "TCP"}, {"port": 5432, "protocol": "UDP"}]
    assert policy["egress"] == [
        INTERNET,
        {"to": [{"ipBlock": {"cidr": "10.1.2.0/24"}}]},
        {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": ports},
        names(),
    ]
    way_out = EgressArgs(http_proxy="http://10.0.0.7:3128", https_proxy="http://proxy:3128")
    _, proxy, _ = network_policy(way_out.hosts())["egress"]  # a policy knows no names
    assert proxy["to"] == [{"ipBlock": {"cidr": "10.0.0.7/32"}}]


def test_a_mounts_server_is_closed_wherever_it_is() -> None:
    policy = network_policy([], ["203.0.113.5", "10.0.0.9", "nfs.example.org", None])
    internet, _ = policy["egress"]
    assert internet["to"][0]["ipBlock"]["except"] == [*PRIVATE, "203.0.113.5/32"]


def test_ones_own_ways_are_added() -> None:
    way = {"to": [{"podSelector": {}}]}
    more = {"singleuser": {"networkPolicy": {"egress": [way]}}}
    policy = hub_values(stack(values=more))["singleuser"]["networkPolicy"]
    assert policy["egress"] == [INTERNET, names(), way]
    no_internet = {"singleuser": {"networkPolicy": {"egressAllowRules": {"nonPrivateIPs": False}}}}
    policy = hub_values(stack(values=no_internet, reach=["10.1.2.0/24"]))["singleuser"]
    named = {"to": [{"ipBlock": {"cidr": "10.1.2.0/24"}}]}
    assert policy["networkPolicy"]["egress"] == [named, names()]


def test_names_are_looked_up_wherever_a_cluster_has_its_servers() -> None:
    rule = names()
    assert {(each["port"], each["protocol"]) for each in rule["ports"]} == {
        (53, "UDP"),
        (53, "TCP"),
    }
    inside, *private = rule["to"]
    assert inside["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "kube-system"
    }
    assert [each["ipBlock"]["cidr"] for each in private] == list(PRIVATE)


def test_images_and_sizes_become_profiles() -> None:
    python, r = hub_values(read("full"))["singleuser"]["profileList"]
    assert (python["slug"], python["default"], r["slug"], r["default"]) == (
        "python",
        True,
        "r-co",
        False,
    )
    assert r["description"] == "tidyverse"
    assert r["kubespawner_override"]["image"] == "quay.io/jupyter/r-notebook:2026-09-01"
    sizes = r["profile_options"]["size"]["choices"]
    assert not sizes["small"]["default"] and sizes["large"]["default"]
    assert sizes["small"]["kubespawner_override"] == {
        "mem_limit": 2_000_000_000,
        "mem_guarantee": 256_000_000,
        "cpu_limit": 2,
        "cpu_guarantee": 0,
        "extra_resource_limits": {},
        "extra_resource_guarantees": {},
    }
    large = sizes["large"]
    assert large["display_name"] == "Large: with a GPU"
    assert large["kubespawner_override"] == {
        "mem_limit": None,
        "mem_guarantee": 8_000_000_000,
        "cpu_limit": None,
        "cpu_guarantee": 2,
        "extra_resource_limits": {"nvidia.com/gpu": "1"},
        "extra_resource_guarantees": {"nvidia.com/gpu": "1"},
        "node_selector": {"accelerator": "t4"},
        "tolerations": [
            {"key": "gpu", "effect": "NoSchedule", "operator": "Equal", "value": "yes"},
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        ],
    }


def test_without_sizes_a_profile_has_its_images_own_limits() -> None:
    other = PYTHON | {"title": "Other", "memory_limit": "4GiB"}
    _, second = hub_values(stack(images=[PYTHON, other]))["singleuser"]["profileList"]
    assert "profile_options" not in second
    assert second["kubespawner_override"]["mem_limit"] == 4 * GIB


def test_ones_own_values_win_and_leave_the_rest() -> None:
    hub = hub_values(read("full"))["hub"]
    assert hub["resources"] == {"requests": {"memory": "512Mi"}}
    assert hub["concurrentSpawnLimit"] == 20
    assert hub["extraConfig"]["10-hubkit"].endswith("configure(c)\n")


def test_no_secret_is_in_the_values() -> None:
    full = read("full")
    assert "0" * 64 not in repr(hub_values(full))
    mounts = hub_values(full)["hub"]["extraVolumeMounts"]
    assert mounts[0]["mountPath"] == "/etc/jupyterhub/secrets.json"


def test_titles_become_names() -> None:
    assert [slug(title) for title in ("R & Co", "Äpfel", "…")] == ["r-co", "pfel", "x"]


def test_a_variable_that_is_known_later_gets_its_braces_doubled_then() -> None:
    async def told() -> object:
        found = literal({"A": pulumi.Output.from_input("{b}")})["A"]
        assert isinstance(found, pulumi.Output)
        return await found.future()

    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(told()) == "{{b}}"
    finally:
        loop.close()
