"""Args of Monitoring."""

from __future__ import annotations

from typing import Any

from ..args import Args, Bytes, field

_GRAFANA = "restarts Grafana: seconds"
_PROMETHEUS = "restarts Prometheus: a minute without figures; those that are there stay"


class MonitoringArgs(Args):
    """Figures of a cluster and its hub over time: Prometheus, and Grafana to look at them."""

    retention: int = field(
        30, ge=1, le=3650, unit="days", description="How long figures are kept.", change=_PROMETHEUS
    )
    size: int = field(
        20,
        ge=1,
        le=65536,
        unit="GiB",
        description="Size of the claim for figures; the oldest go when it is nearly full.",
        change=(
            "used when the claim is new; one that is there is grown by hand (`kubectl edit pvc`)"
        ),
    )
    storage_class: str | None = field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description="Storage class of both claims. Default: that of `cluster`.",
        change="nothing on the claims that are there",
    )
    memory: Bytes = field(
        "1G",
        ge=256 * 1024**2,
        unit="bytes, or text like `1G`",
        description="Memory kept for Prometheus, which may take twice as much.",
        change=_PROMETHEUS,
    )
    host: str | None = field(
        None,
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
        description=(
            "Name of its own for Grafana, like `grafana.example.org`, behind the hub's ingress "
            "and with the same TLS. Default: none, and only `kubectl port-forward` leads there."
        ),
        change=_GRAFANA,
    )
    metrics_server: bool = field(
        False,
        description=(
            "Install metrics-server, for `kubectl top`, where the cluster has none. k3s, EKS "
            "and GKE have it; look with `kubectl get apiservice v1beta1.metrics.k8s.io`."
        ),
        change="adds or removes it",
    )
    dashboard: bool = field(
        False,
        description=(
            "Install Headlamp, a page to look at the stack's namespace with. Only `kubectl "
            "port-forward` leads there, and a token lets in."
        ),
        change="adds or removes it",
    )
    values: dict[str, Any] = field(
        {},
        description="Values of the chart kube-prometheus-stack that have no key here; they win.",
        change="as the chart's own documentation says",
    )
