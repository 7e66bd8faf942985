"""Monitoring in a Kubernetes cluster: kube-prometheus-stack, metrics-server, Headlamp."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from ..args import InputSecret, secret
from ..jupyterhub_host.component import JupyterHubHost
from ..platforms.charts import CHARTS, release
from ..platforms.kubernetes import KubernetesCluster
from ..shared_volume.args import SharedVolumeArgs, VolumeKind
from ..shared_volume.component import SharedVolume
from ..traefik_proxy.args import TlsKind, TraefikProxyArgs
from ..traefik_proxy.component import TraefikProxy
from .args import MonitoringArgs
from .boards import board

Values = dict[str, Any]
_GRAFANA_PORT, _DASHBOARD_PORT = 3000, 4466  # on the machine of who looks
_SERVICE = "prometheus"  # what the hub knows Prometheus by
_BOARDS = "/var/lib/grafana/dashboards/hub"
_LONGEST = 26  # the chart cuts its name there


@dataclass(frozen=True)
class Made:
    """What every platform file of Monitoring returns."""

    grafana_url: str
    dashboard_url: str | None = None
    ways_in: dict[str, str] = field(default_factory=dict)


def create(
    name: str,
    args: MonitoringArgs,
    password: InputSecret,
    cluster: KubernetesCluster,
    hub: JupyterHubHost,
    proxy: TraefikProxy,
    parent: pulumi.Resource,
) -> Made:
    """Makes the releases. What the hub has to know of it is `for_hub`."""
    claim = SharedVolume(
        f"{name}-grafana",
        SharedVolumeArgs(
            kind=VolumeKind.claim, size=1, one_node=True, type=args.storage_class, protect=True
        ),
        cluster,
        pulumi.ResourceOptions(parent=parent),
    )
    login = _login(name, password, cluster, parent)
    release(
        name,
        cluster,
        parent,
        chart=CHARTS["kube-prometheus-stack"],
        values=chart_values(
            args,
            deployment=cluster.deployment,
            namespace=cluster.namespace,
            storage_class=args.storage_class or cluster.storage_class,
            claim=claim.volume,
            login=cluster.named(f"{name}-login"),
            nodes=hub.args.pods.core_nodes,
            edge=edge(
                args.host, proxy.args.tls.kind, proxy.made.ingress, cluster.named(f"{name}-tls")
            ),
            url=_url(args, proxy.args),
        ),
        own=args.values,
        depends_on=[hub, claim, login],
    )
    if args.metrics_server:
        release(
            f"{name}-metrics",
            cluster,
            parent,
            chart=CHARTS["metrics-server"],
            values={"fullnameOverride": cluster.named(f"{name}-metrics")},
        )
    if args.dashboard:
        _dashboard(f"{name}-dashboard", cluster, parent)
    return Made(
        _url(args, proxy.args),
        f"http://127.0.0.1:{_DASHBOARD_PORT}" if args.dashboard else None,
        ways_in(name, args, cluster),
    )


def _url(args: MonitoringArgs, proxy: TraefikProxyArgs) -> str:
    return proxy.url(args.host) if args.host else f"http://127.0.0.1:{_GRAFANA_PORT}"


def ways_in(name: str, args: MonitoringArgs, cluster: KubernetesCluster) -> dict[str, str]:
    """Commands that lead to what isn't open to the world."""
    forward = f"kubectl port-forward -n {cluster.namespace} svc/"
    found: dict[str, str] = {}
    if not args.host:
        found["grafana"] = f"{forward}{cluster.named('grafana')} {_GRAFANA_PORT}:80"
    if args.dashboard:
        account = cluster.named(f"{name}-dashboard")
        found["dashboard"] = f"{forward}{account} {_DASHBOARD_PORT}:80"
        token = f"kubectl create token -n {cluster.namespace} {account}-viewer"
        found["dashboard_token"] = token
    return found


def for_hub() -> Values:
    """What the hub's chart is told: a service that may read its figures and nothing else.

    The chart makes the service's token, and keeps it in its Secret, where Prometheus finds it.
    """
    role = {"scopes": ["read:metrics"], "services": [_SERVICE]}
    return {"hub": {"services": {_SERVICE: {"display": False}}, "loadRoles": {_SERVICE: role}}}


def short(deployment: str) -> str:
    """A name that the chart doesn't cut: two stacks would get the same."""
    if len(deployment) <= _LONGEST:
        return deployment
    return f"{deployment[:17]}-{hashlib.sha256(deployment.encode()).hexdigest()[:8]}"


def edge(host: str | None, kind: TlsKind, of_hub: Mapping[str, Any], tls_secret: str) -> Values:
    """Grafana's ingress: as the hub's, under a name of its own."""
    if not host:
        return {"enabled": False}
    tls = [{**each, "hosts": [host]} for each in of_hub["tls"]]
    annotations = dict(of_hub["annotations"])
    if kind is TlsKind.cert_manager:
        tls[0]["secretName"] = tls_secret
    if kind is TlsKind.acme:  # the entry point asks for the hub's names only
        mark = "traefik.ingress.kubernetes.io/router.tls"
        annotations |= {mark: "true", f"{mark}.certresolver": "acme"}
        annotations[f"{mark}.domains.0.main"] = host
    return {**of_hub, "hosts": [host], "annotations": annotations, "tls": tls, "path": "/"}


def chart_values(
    args: MonitoringArgs,
    *,
    deployment: str,
    namespace: str,
    storage_class: str | None,
    claim: pulumi.Input[str],
    login: str,
    nodes: Mapping[str, str],
    edge: Values,
    url: str,
) -> Values:
    """Values of kube-prometheus-stack.

    Args:
        claim: of Grafana's own data; login: name of the Secret with its admin's password.
        nodes: labels of the nodes that it runs on.
        edge: Grafana's ingress; url: where its users find it.
    """
    fullname = short(deployment)
    off = {"enabled": False}
    selector = {"nodeSelector": dict(nodes)}
    return {
        "fullnameOverride": fullname,
        # Nobody is told anything unless somebody says whom: with `values`.
        "alertmanager": off,
        # Managed clusters hide these, k3s has them in one process.
        **dict.fromkeys(("kubeControllerManager", "kubeScheduler", "kubeEtcd", "kubeProxy"), off),
        "prometheusOperator": {
            # A cluster may have another operator, which looks after its own.
            **{f"{kind}InstanceNamespaces": [namespace] for kind in ("prometheus", "alertmanager")},
            "admissionWebhooks": off,
            "tls": off,
            **selector,
        },
        "prometheus": {
            "prometheusSpec": _prometheus(args, storage_class) | selector,
            "networkPolicy": _only_grafana(deployment),
            "additionalServiceMonitors": [_of_hub(fullname, deployment)],
        },
        "kube-state-metrics": {"fullnameOverride": f"{deployment}-state-metrics", **selector},
        "prometheus-node-exporter": {"fullnameOverride": f"{deployment}-node-exporter"},
        "grafana": _grafana(deployment, fullname, namespace, claim, login, edge, url) | selector,
    }


def _prometheus(args: MonitoringArgs, storage_class: str | None) -> Values:
    memory = int(args.memory)
    spec: Values = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{args.size}Gi"}},
        **({"storageClassName": storage_class} if storage_class else {}),
    }
    return {
        "retention": f"{args.retention}d",
        "retentionSize": f"{args.size * 900}MiB",  # before the claim is full
        "storageSpec": {"volumeClaimTemplate": {"spec": spec}},
        # The claim outlives the release, and is found again by its name.
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "resources": {"requests": {"memory": memory}, "limits": {"memory": 2 * memory}},
        # The hub's network policy lets who has it in.
        "podMetadata": {"labels": {"hub.jupyter.org/network-access-hub": "true"}},
    }


def _only_grafana(deployment: str) -> Values:
    """Prometheus asks for no password: nobody else in the cluster reaches it."""
    grafana = {
        "app.kubernetes.io/name": "grafana",
        "app.kubernetes.io/instance": f"{deployment}-monitoring",
    }
    who = {"from": [{"podSelector": {"matchLabels": grafana}}], "ports": [{"port": 9090}]}
    return {"enabled": True, "ingress": [who], "egress": [{}]}


def _of_hub(fullname: str, deployment: str) -> Values:
    """Where the hub's own figures are, and the token that opens them."""
    token = {"name": "hub", "key": f"hub.services.{_SERVICE}.apiToken"}
    return {
        "name": f"{fullname}-hub",
        "selector": {
            "matchLabels": {
                "app": "jupyterhub",
                "component": "hub",
                "release": f"{deployment}-hub",
            }
        },
        "endpoints": [
            {
                "port": "hub",
                "path": "/hub/metrics",
                "interval": "30s",
                "authorization": {"credentials": token},
            }
        ],
    }


def _grafana(
    deployment: str,
    fullname: str,
    namespace: str,
    claim: pulumi.Input[str],
    login: str,
    edge: Values,
    url: str,
) -> Values:
    """Grafana without its sidecars: they would read every Secret of the namespace."""
    source = {
        "name": "Prometheus",
        "uid": "prometheus",
        "type": "prometheus",
        "url": f"http://{fullname}-prometheus:9090",
        "access": "proxy",
        "isDefault": True,
    }
    provider = {"name": "hub", "type": "file", "options": {"path": _BOARDS}}
    return {
        "fullnameOverride": f"{deployment}-grafana",
        "admin": {"existingSecret": login},
        "defaultDashboardsEnabled": False,
        "sidecar": {"dashboards": {"enabled": False}, "datasources": {"enabled": False}},
        "rbac": {"create": False},
        "automountServiceAccountToken": False,
        "datasources": {"datasources.yaml": {"apiVersion": 1, "datasources": [source]}},
        "dashboardProviders": {
            "dashboardproviders.yaml": {"apiVersion": 1, "providers": [provider]}
        },
        "dashboards": {"hub": {"hub": {"json": json.dumps(board(namespace))}}},
        "persistence": {"enabled": True, "existingClaim": claim},
        "initChownData": {"enabled": False},  # the claim's group is Grafana's own
        "deploymentStrategy": {"type": "Recreate"},  # two pods can't have one claim
        "testFramework": {"enabled": False},
        "ingress": edge,
        "grafana.ini": {
            "server": {"root_url": url},
            "analytics": {"check_for_updates": False, "reporting_enabled": False},
            "users": {"allow_sign_up": False},
            "auth.anonymous": {"enabled": False},
            "security": {"cookie_secure": url.startswith("https:")},
        },
    }


def dashboard_values(fullname: str) -> Values:
    """Headlamp's values: it can do nothing by itself, only what a visitor's token allows."""
    return {
        "fullnameOverride": fullname,
        "clusterRoleBinding": {"create": False},  # the chart's default is cluster-admin
        "config": {"unsafeUseServiceAccountToken": False, "enableHelm": False},
        "service": {"type": "ClusterIP"},
        "ingress": {"enabled": False},
    }


def _dashboard(name: str, cluster: KubernetesCluster, parent: pulumi.Resource) -> None:
    """The page, and an account to look with: the namespace's objects but its Secrets."""
    release(
        name,
        cluster,
        parent,
        chart=CHARTS["headlamp"],
        values=dashboard_values(cluster.named(name)),
    )
    metadata = _metadata(f"{name}-viewer", cluster)
    kubernetes.core.v1.ServiceAccount(
        f"{name}-viewer", metadata=metadata, opts=cluster.options(parent)
    )
    account = {"kind": "ServiceAccount", "name": metadata["name"], "namespace": cluster.namespace}
    kubernetes.rbac.v1.RoleBinding(
        f"{name}-view",
        metadata=metadata,
        role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        subjects=[account],
        opts=cluster.options(parent),
    )


def _login(
    name: str, password: InputSecret, cluster: KubernetesCluster, parent: pulumi.Resource
) -> pulumi.Resource:
    made: pulumi.Resource = kubernetes.core.v1.Secret(
        f"{name}-login",
        metadata=_metadata(f"{name}-login", cluster),
        string_data={"admin-user": "admin", "admin-password": secret(password)},
        opts=cluster.options(parent),
    )
    return made


def _metadata(name: str, cluster: KubernetesCluster) -> Values:
    return {
        "name": cluster.named(name),
        "namespace": cluster.namespace,
        "labels": cluster.labels("monitoring"),
    }
