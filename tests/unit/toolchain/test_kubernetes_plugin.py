"""The kubernetes stand-in without a cluster: what differs, what replaces, what a preview says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from toolchain.plugins.kubernetes import PluginError, release
from toolchain.plugins.kubernetes.cluster import Settings
from toolchain.plugins.kubernetes.rules import as_found
from toolchain.plugins.kubernetes.server import KubernetesProvider
from toolchain.plugins.provider.values import UNKNOWN, from_struct, to_struct

CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
KUBECONFIG = "apiVersion: v1\nkind: Config\n"


class Refused(Exception):
    """What a call was ended with."""


def refuse(code: grpc.StatusCode, text: str) -> None:
    raise Refused(text)


CONTEXT = SimpleNamespace(abort=refuse, set_trailing_metadata=lambda _: None)


def urn(token: str) -> str:
    return f"urn:pulumi:t::t::{token}::homes"


def claim(size: str = "1Gi", **meta: Any) -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        "storageClassName": "fast",
    }
    meta = {"name": "homes", "namespace": "class"} | meta
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": meta,
        "spec": spec,
    }


def diff(olds: dict[str, Any], news: dict[str, Any], **config: Any) -> Any:
    plugin = KubernetesProvider()
    plugin.Configure(provider_pb2.ConfigureRequest(args=to_struct(config)), CONTEXT)
    return plugin.Diff(
        provider_pb2.DiffRequest(
            urn=urn(f"kubernetes:x:{news['kind']}"),
            old_inputs=to_struct(olds),
            news=to_struct(news),
        ),
        CONTEXT,
    )


def test_a_claim_grows_in_place() -> None:
    found = diff(claim(), claim("2Gi"))
    assert dict(found.detailedDiff).keys() == {"spec.resources.requests.storage"}
    assert not found.replaces


def test_what_would_lose_a_claim_is_a_replacement() -> None:
    other = claim()
    other["spec"]["storageClassName"] = "slow"
    assert diff(claim(), other).replaces == ["spec"]
    moved = diff(claim(), claim(namespace="other"))
    assert moved.replaces == ["metadata"] and moved.deleteBeforeReplace


def test_nothing_differs_where_only_absent_things_do() -> None:
    same = claim(annotations={}, labels=None)
    assert diff(claim(), same).changes == provider_pb2.DiffResponse.DIFF_NONE


@pytest.mark.parametrize(
    ("config", "replaced"), [({}, True), ({"enableSecretMutable": True}, False)]
)
def test_a_secret_changes_in_place_where_the_provider_says_so(
    config: dict[str, Any], replaced: bool
) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    old, new = secret | {"stringData": {"a": "1"}}, secret | {"stringData": {"a": "2"}}
    assert bool(diff(old, new, **config).replaces) is replaced
    assert diff(old, new | {"immutable": True}, **config).replaces


def check(token: str, news: dict[str, Any], olds: dict[str, Any] | None = None) -> Any:
    return KubernetesProvider().Check(
        provider_pb2.CheckRequest(
            urn=urn(token), news=to_struct(news), olds=to_struct(olds or {}), randomSeed=b"seed"
        ),
        CONTEXT,
    )


def test_a_name_is_made_once_and_kept() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap"}
    first = from_struct(check("kubernetes:core/v1:ConfigMap", manifest).inputs)
    name = first["metadata"]["name"]
    assert name.startswith("homes-") and len(name) == len("homes-12345678")
    again = from_struct(check("kubernetes:core/v1:ConfigMap", manifest, first).inputs)
    assert again == first
    named = from_struct(check(CLAIM, claim()).inputs)
    assert named == claim()


def test_the_projects_own_provider_is_covered() -> None:
    """What KubernetesCluster asks of it."""
    asked = {"kubeconfig": "x", "namespace": "x", "clusterIdentifier": "x"}
    asked |= {"upsertExistingObjects": True, "enableSecretMutable": True}
    request = provider_pb2.CheckRequest(news=to_struct(asked | {"enableConfigMapMutable": True}))
    assert not KubernetesProvider().CheckConfig(request, None).failures


def test_what_is_not_covered_is_refused_by_name() -> None:
    (fault,) = check("kubernetes:yaml/v2:ConfigFile", {}).failures
    assert "official plugin is needed" in fault.reason
    (fault,) = (
        KubernetesProvider()
        .CheckConfig(
            provider_pb2.CheckRequest(news=to_struct({"renderYamlToDirectory": "/x"})), CONTEXT
        )
        .failures
    )
    assert fault.property == "renderYamlToDirectory"


@pytest.mark.parametrize(
    ("old", "new", "replaces"),
    [
        (
            {"kubeconfig": "a", "clusterIdentifier": "c"},
            {"kubeconfig": "b", "clusterIdentifier": "c"},
            [],
        ),
        (
            {"kubeconfig": "a", "clusterIdentifier": "c"},
            {"kubeconfig": "a", "clusterIdentifier": "d"},
            ["clusterIdentifier"],
        ),
        ({"kubeconfig": "a"}, {"kubeconfig": "b"}, ["kubeconfig"]),
    ],
)
def test_only_another_cluster_replaces_everything(
    old: dict[str, str], new: dict[str, str], replaces: list[str]
) -> None:
    request = provider_pb2.DiffRequest(old_inputs=to_struct(old), news=to_struct(new))
    assert list(KubernetesProvider().DiffConfig(request, CONTEXT).replaces) == replaces


def test_a_preview_asks_no_cluster() -> None:
    plugin = KubernetesProvider()
    args = to_struct({"kubeconfig": UNKNOWN})
    plugin.Configure(provider_pb2.ConfigureRequest(args=args), CONTEXT)
    request = provider_pb2.CreateRequest(
        urn=urn(CLAIM), properties=to_struct(claim()), preview=True
    )
    planned = from_struct(plugin.Create(request, CONTEXT).properties)
    assert planned["metadata"] == claim()["metadata"] and planned["status"] == UNKNOWN


def test_a_kubeconfig_that_leads_nowhere_is_one_line() -> None:
    plugin = KubernetesProvider()
    args = to_struct({"kubeconfig": KUBECONFIG})
    plugin.Configure(provider_pb2.ConfigureRequest(args=args), CONTEXT)
    request = provider_pb2.CreateRequest(urn=urn(CLAIM), properties=to_struct(claim()))
    with pytest.raises(Refused, match="the kubeconfig can't be used"):
        plugin.Create(request, CONTEXT)


def test_a_release_needs_helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PluginError, match="no `helm` on PATH to make release hub; the official"):
        release.apply({"name": "hub", "chart": "jupyterhub"}, Settings(KUBECONFIG))


def test_a_refresh_sees_what_the_program_named_and_nothing_else() -> None:
    live = claim("3Gi", uid="1", labels={"by": "others"})
    live["spec"]["volumeName"] = "pv-7"
    assert as_found(live, claim()) == claim("3Gi")
