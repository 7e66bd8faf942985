"""Monitoring: which values its charts are given, what the hub is told, what stays shut."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from components import KubernetesCluster, Monitoring, MonitoringArgs
from components.config import StackConfig, parse
from components.errors import ConfigError
from components.monitoring import kubernetes
from components.monitoring.boards import board
from components.platforms.charts import merged
from components.platforms.kubernetes import NO_WAY
from components.traefik_proxy.args import TlsKind, TraefikProxyArgs
from components.traefik_proxy.kubernetes import ingress
from tests.unit.kubernetes.test_hub_values import HUB, MINIMAL, PYTHON
from tests.unit.test_cloud import surround
from tests.unit.test_components import Recorder

PASSWORD = "bakery-lemon-42"
CLASS = "jupyterhub-class"


def values(edge: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    return kubernetes.chart_values(
        MonitoringArgs(**args),
        deployment=CLASS,
        namespace="physics",
        storage_class="fast",
        claim="the-claim",
        login="the-login",
        nodes={"purpose": "core"},
        edge=edge or {"enabled": False},
        url="https://grafana.example.org",
    )


def test_figures_are_kept_on_a_claim_that_outlives_the_release() -> None:
    spec = values(retention=90, size=40, memory="2GiB")["prometheus"]["prometheusSpec"]
    assert spec == {
        "retention": "90d",
        "retentionSize": "36000MiB",
        "storageSpec": {
            "volumeClaimTemplate": {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "40Gi"}},
                    "storageClassName": "fast",
                }
            }
        },
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "resources": {"requests": {"memory": 2 * 1024**3}, "limits": {"memory": 4 * 1024**3}},
        "podMetadata": {"labels": {"hub.jupyter.org/network-access-hub": "true"}},
        "nodeSelector": {"purpose": "core"},
    }


def test_the_name_of_that_claim_never_changes() -> None:
    """It is made of this one, by the operator: another name is an empty Prometheus."""
    assert values()["fullnameOverride"] == CLASS
    long = kubernetes.short("jupyterhub-physics-of-the-autumn")
    assert long == "jupyterhub-physic-" + long[-8:] and len(long) == 26
    assert long != kubernetes.short("jupyterhub-physics-of-the-spring")


def test_the_hub_is_read_with_a_token_that_opens_nothing_else() -> None:
    (monitor,) = values()["prometheus"]["additionalServiceMonitors"]
    assert monitor["selector"] == {
        "matchLabels": {"app": "jupyterhub", "component": "hub", "release": f"{CLASS}-hub"}
    }
    (endpoint,) = monitor["endpoints"]
    token = {"name": "hub", "key": "hub.services.prometheus.apiToken"}
    assert endpoint["authorization"] == {"credentials": token}
    assert (endpoint["port"], endpoint["path"]) == ("hub", "/hub/metrics")
    assert kubernetes.for_hub() == {
        "hub": {
            "services": {"prometheus": {"display": False}},
            "loadRoles": {
                "prometheus": {"scopes": ["read:metrics"], "services": ["prometheus"]},
            },
        }
    }


def test_what_is_closed() -> None:
    found = values()
    policy = found["prometheus"]["networkPolicy"]
    (rule,) = policy["ingress"]
    assert policy["enabled"]
    assert rule["from"][0]["podSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "grafana",
        "app.kubernetes.io/instance": f"{CLASS}-monitoring",
    }
    grafana = found["grafana"]
    assert not grafana["ingress"]["enabled"] and not grafana["rbac"]["create"]
    assert not any(each["enabled"] for each in grafana["sidecar"].values())
    assert not grafana["automountServiceAccountToken"]
    assert not grafana["grafana.ini"]["auth.anonymous"]["enabled"]
    assert grafana["admin"] == {"existingSecret": "the-login"}
    operator = found["prometheusOperator"]
    assert operator["prometheusInstanceNamespaces"] == ["physics"]
    assert operator["admissionWebhooks"] == operator["tls"] == {"enabled": False}
    assert not found["alertmanager"]["enabled"]


def test_the_page_for_the_namespace_can_do_nothing_by_itself() -> None:
    assert kubernetes.dashboard_values("x") == {
        "fullnameOverride": "x",
        "clusterRoleBinding": {"create": False},
        "config": {"unsafeUseServiceAccountToken": False, "enableHelm": False},
        "service": {"type": "ClusterIP"},
        "ingress": {"enabled": False},
    }


def _edge(**tls: Any) -> dict[str, Any]:
    proxy = TraefikProxyArgs(http_port=80, https_port=443, tls=tls)
    of_hub = ingress(proxy, "own", list(proxy.tls.domains), "hub-certificate")
    return kubernetes.edge("grafana.example.org", proxy.tls.kind, of_hub, "grafana-certificate")


def test_grafana_comes_in_where_the_hub_does_and_a_certificate_of_its_own() -> None:
    acme = _edge(kind="acme", email="a@example.org", domains=["hub.example.org"])
    assert acme["hosts"] == ["grafana.example.org"]
    mark = "traefik.ingress.kubernetes.io/router.tls"
    assert acme["annotations"] == {
        "kubernetes.io/ingress.class": "own",
        mark: "true",
        f"{mark}.certresolver": "acme",
        f"{mark}.domains.0.main": "grafana.example.org",
    }
    managed = _edge(kind="cert_manager", issuer="x", domains=["hub.example.org"])
    assert managed["tls"][0]["secretName"] == "grafana-certificate"
    provided = _edge(kind="provided", secret="wildcard", domains=["hub.example.org"])
    assert provided["tls"] == [{"hosts": ["grafana.example.org"], "secretName": "hub-certificate"}]
    assert kubernetes.edge(None, TlsKind.none, {}, "x") == {"enabled": False}


def test_the_board_is_about_this_namespace() -> None:
    found = board("physics")
    panels = {panel["title"]: panel for panel in found["panels"]}
    assert len(panels) == len(found["panels"]) == 8
    memory = panels["Memory of each user's server"]["targets"][0]["expr"]
    assert "namespace='physics'" in memory
    assert json.loads(values()["grafana"]["dashboards"]["hub"]["hub"]["json"]) == found
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in found["panels"]]
    assert len(set(places)) == 8


def test_ones_own_values_win() -> None:
    own = {"alertmanager": {"enabled": True}, "grafana": {"replicas": 2}}
    found = merged(values(), own)
    assert found["alertmanager"]["enabled"] and found["grafana"]["replicas"] == 2
    assert found["grafana"]["admin"] == {"existingSecret": "the-login"}


def stack(monitoring: dict[str, Any], **more: Any) -> StackConfig:
    hub = {"login": {"users": ["anna"]}, "image": HUB, "images": [PYTHON]}
    secrets = MINIMAL["secrets"] | {"grafana_password": PASSWORD}
    given = {"hub": hub, "monitoring": monitoring, "secrets": secrets} | more
    return parse(MINIMAL | given, "here")


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="secrets are missing: grafana_password"):
        stack({}, secrets=MINIMAL["secrets"])
    tls = {"kind": "acme", "email": "a@example.org", "domains": ["hub.example.org"]}
    with pytest.raises(ConfigError, match=r"monitoring\.host: found hub\.example\.org"):
        stack({"host": "hub.example.org"}, proxy={"tls": tls})
    own = {"kind": "k3s", "hosts": {"cellar": {"address": "192.0.2.9", "server": True}}}
    with pytest.raises(ConfigError, match="allowed: `false`: k3s has one"):
        secrets = MINIMAL["secrets"] | {"grafana_password": PASSWORD, "cluster_token": "0" * 64}
        stack({"metrics_server": True}, cluster=own, secrets=secrets)
    names = ("cookie_secret", "crypt_key", "grafana_password", "class_password", "admin_password")
    local = {"platform": "local", "monitoring": {}, "secrets": dict.fromkeys(names, "0" * 64)}
    with pytest.raises(ConfigError, match="monitoring: found this section; allowed: not on local"):
        parse(local, "here")


def test_a_stack_with_monitoring_tells_its_hub() -> None:
    from stacks import kubernetes as wiring

    cluster: Any = SimpleNamespace(named=f"{CLASS}-{{}}".format, deployment=CLASS)
    own = {"hub": {"services": {"prometheus": {"display": True}}}}
    made = stack({})
    told = wiring._hub_args(made, cluster).values
    assert told == kubernetes.for_hub()
    hub = made.hub.model_copy(update={"values": own})
    told = wiring._hub_args(made.model_copy(update={"hub": hub}), cluster).values
    assert told["hub"]["services"]["prometheus"]["display"]
    assert "loadRoles" in told["hub"]


def composed(
    monitoring: dict[str, Any], protects_claims: bool = True
) -> tuple[Recorder, dict[str, Any]]:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="jupyterhub", stack="test", preview=False)
    pulumi.runtime.register_stack_transformation(recorder.transform)
    given, found = stack(monitoring), {}

    @pulumi.runtime.test
    def run() -> Any:
        cluster = replace(
            KubernetesCluster.connect(CLASS, given.cluster), protects_claims=protects_claims
        )
        edge = ingress(given.proxy, "own", [], "certificate")
        hub: Any = pulumi.ComponentResource("jupyterhub:index:JupyterHubHost", "hub")
        hub.args = given.hub
        proxy: Any = SimpleNamespace(args=given.proxy, made=SimpleNamespace(ingress=edge))
        assert given.monitoring and given.secrets.grafana_password
        made = Monitoring(
            "monitoring", given.monitoring, given.secrets.grafana_password, cluster, hub, proxy
        )
        found.update(ways=made.ways_in)
        return made.grafana_url.apply(lambda url: found.update(url=url))

    run()
    return recorder, found


@pytest.fixture
def _engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kubeconfig that leads nowhere, and an engine without hooks."""
    surround(monkeypatch, tmp_path)
    (tmp_path / "config").write_text(NO_WAY)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))


@pytest.mark.usefixtures("_engine")
def test_what_is_made() -> None:
    recorder, found = composed({"dashboard": True, "metrics_server": True})
    charts = {
        recorder.inputs[name]["chart"]
        for name, kind in recorder.types.items()
        if kind.endswith(":Release")
    }
    assert charts == {"kube-prometheus-stack", "metrics-server", "headlamp"}
    assert PASSWORD not in repr(recorder.inputs["monitoring"])
    assert recorder.options["monitoring-grafana"].protect
    role = recorder.inputs["monitoring-dashboard-view"]
    assert role["roleRef"]["name"] == "view"
    assert found["url"] == "http://127.0.0.1:3000"
    assert set(found["ways"]) == {"grafana", "dashboard", "dashboard_token"}


@pytest.mark.usefixtures("_engine")
def test_grafanas_claim_keeps_no_cluster_from_going_whose_disk_is_protected() -> None:
    """As of a hub's own claims on k3s: `make down` could delete no VM otherwise."""
    options = composed({}, protects_claims=False)[0].options["monitoring-grafana"]
    assert not options.protect and options.retain_on_delete
