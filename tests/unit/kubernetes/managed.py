"""Managed clusters under Pulumi's mocks: what is made for some args, and with which options."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pytest
import yaml

from components.kubernetes_cluster import eks_nodes
from components.kubernetes_cluster.args import KubernetesClusterArgs
from components.kubernetes_cluster.component import Cluster
from components.kubernetes_cluster.made import Made
from components.platforms.site import Site
from tests.unit.test_cloud import Recorder

SECRET = "4dabf18193072939515e22adb298388d"
HOME = "192.0.2.7/32"
USERS: dict[str, Any] = {"name": "users", "cpus": 4, "memory": "16G"}
COMPUTED: dict[str, dict[str, Any]] = {
    "aws:eks/cluster:Cluster": {
        "endpoint": "https://api.example",
        "certificateAuthority": {"data": "Q0E="},
    },
    "aws:ec2/eip:Eip": {"allocationId": "eipalloc-1"},
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 3},
    "gcp:container/cluster:Cluster": {
        "endpoint": "192.0.2.90",
        "masterAuth": {"clusterCaCertificate": "Q0E="},
    },
    "gcp:serviceaccount/account:Account": {
        "email": "nodes@mine.iam.gserviceaccount.com",
        "project": "mine",
    },
}

RUNNING = eks_nodes._running


class Clouds(Recorder):
    """Answers for the engine and the two clouds."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Ids tell whose they are: `Subnet:cluster-nodes`."""
        _, outputs = super().new_resource(args)
        id = f"{args.typ.rsplit(':', 1)[-1]}:{args.name}"
        return id, outputs | {"arn": f"arn:{id}"} | COMPUTED.get(args.typ, {})

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        self.asked = dict(args.args)
        assert args.token == "aws:index/getAvailabilityZones:getAvailabilityZones"
        return {"names": ["eu-central-1b", "eu-central-1c"]}


@dataclass(frozen=True)
class Composed:
    """What was made, and what the component says of it."""

    recorder: Clouds
    made: Made
    kubeconfig: dict[str, Any]
    addresses: list[str]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        return self.recorder.of(kind)

    def one(self, kind: str) -> tuple[dict[str, Any], pulumi.ResourceOptions]:
        return self.recorder.one(kind)

    def options(self, kind: str, name: str) -> pulumi.ResourceOptions:
        return self.recorder.options[kind, name]


def site(platform: str) -> Site:
    zones = {"aws": "eu-central-1a", "gcp": "europe-west1-b"}
    zone = zones[platform]
    region = zone[:-1].rstrip("-")
    account = "mine" if platform == "gcp" else None
    return Site(platform, "jupyterhub-class", region, zone, account, True, {"course": "root"})


def compose(
    kind: str, *pools: dict[str, Any], preview: bool = False, at: Site | None = None, **args: Any
) -> Composed:
    said = {"api_from": [HOME], "pools": list(pools) or [USERS], **args}
    wanted = KubernetesClusterArgs(kind=kind, **said)
    recorder = Clouds()
    pulumi.runtime.set_mocks(recorder, project="jupyterhub", stack="test", preview=preview)
    pulumi.runtime.register_stack_transformation(recorder.transform)
    found: dict[str, Any] = {}

    @pulumi.runtime.test
    def run() -> Any:
        place = at or site({"eks": "aws", "gke": "gcp"}[kind])
        made = found["made"] = Cluster("cluster", wanted, place).made
        told = pulumi.Output.all(pulumi.Output.unsecret(made.kubeconfig), made.addresses)
        return told.apply(lambda known: found.update(text=known[0], addresses=known[1]))

    run()
    recorder.listens = False
    text = yaml.safe_load(found["text"]) if found.get("text") else {}
    return Composed(recorder, found["made"], text, found.get("addresses", []))


def changed(before: Composed, after: Composed) -> set[str]:
    """Names of the resources that a change of the args touches."""
    return {name for _, name in changed_keys(before, after)}


def blind(platform: str) -> Site:
    return replace(site(platform), has_credentials=False)


def surround(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs for logins are there; no cloud is."""
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(eks_nodes, "_running", lambda cluster, pool, site: None)


async def nothing(*_: Any) -> None:
    return None


def is_secret(value: Any) -> bool:
    return isinstance(value, dict) and SECRET in value


def changed_keys(before: Composed, after: Composed) -> set[tuple[str, str]]:
    old, new = before.recorder.inputs, after.recorder.inputs
    return {key for key in old | new if old.get(key) != new.get(key)}


def kept_with(recorder: Clouds, ready: Sequence[pulumi.Resource]) -> set[tuple[str, str]]:
    """What a destroy leaves beside a protected volume: all that it waits for, by and by."""
    found: set[tuple[str, str]] = set()
    waiting = [(each._type, each._name) for each in ready]
    while waiting:
        key = waiting.pop()
        if key in found or key not in recorder.inputs:
            continue
        found.add(key)
        options = recorder.options.get(key, pulumi.ResourceOptions())
        before = [*(options.depends_on or []), options.provider]  # type: ignore[misc]
        waiting += [(each._type, each._name) for each in before if each]  # type: ignore[union-attr]
        text = json.dumps(recorder.inputs[key], default=str)
        waiting += [other for other in recorder.inputs if _is_in(text, other, recorder)]
    return found


def _is_in(text: str, key: tuple[str, str], recorder: Clouds) -> bool:
    kind = key[0].rsplit(":", 1)[-1]
    name = recorder.inputs[key].get("name", "") if kind == "Cluster" else ""
    return f'{kind}:{key[1]}"' in text or bool(name and f'"{name}"' in text)
