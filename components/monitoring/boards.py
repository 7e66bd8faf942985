"""Grafana's board of a hub: who is there, how fast servers start, what each takes, what is left."""

from __future__ import annotations

from typing import Any

_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_WIDTH, _HEIGHT = 12, 8  # of a panel; the page is two wide


def board(namespace: str) -> dict[str, Any]:
    """The board, in Grafana's JSON."""
    panels = [
        _panel(number, *each) for number, each in enumerate([*_of_hub(), *_of_cluster(namespace)])
    ]
    return {
        "uid": "jupyterhub",
        "title": "JupyterHub",
        "tags": ["jupyterhub"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "panels": panels,
    }


def _of_hub() -> list[tuple[str, str, dict[str, str]]]:
    """Title, unit, and what is drawn by what it is called."""
    spawned = "rate(jupyterhub_server_spawn_duration_seconds_bucket{status='success'}[15m])"
    spawn = {
        f"{q} in 100": f"histogram_quantile({q / 100}, sum by (le) ({spawned}))" for q in (50, 95)
    }
    failed = "increase(jupyterhub_server_spawn_duration_seconds_count{status!='success'}[15m])"
    return [
        (
            "Users",
            "short",
            {
                "servers that run": "sum(jupyterhub_running_servers)",
                "users in a day": "max(jupyterhub_active_users{period='24h'})",
            },
        ),
        ("Until a server is there", "s", spawn),
        (
            "Starts that failed, in a quarter of an hour",
            "short",
            {"{{status}}": f"sum by (status) ({failed})"},
        ),
    ]


def _of_cluster(namespace: str) -> list[tuple[str, str, dict[str, str]]]:
    # Of the pod as a whole, which is the most: not every node names the containers in it.
    servers = f"{{namespace='{namespace}', pod=~'jupyter-.*'}}"
    memory = "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"
    cpu = "rate(node_cpu_seconds_total{mode='idle'}[5m])"
    claims = f"{{namespace='{namespace}'}}"
    full = f"kubelet_volume_stats_used_bytes{claims} / kubelet_volume_stats_capacity_bytes{claims}"
    return [
        (
            "Memory of each user's server",
            "bytes",
            {"{{pod}}": f"max by (pod) (container_memory_working_set_bytes{servers})"},
        ),
        (
            "Cores of each user's server",
            "short",
            {"{{pod}}": f"max by (pod) (rate(container_cpu_usage_seconds_total{servers}[5m]))"},
        ),
        ("Memory of each node in use", "percentunit", {"{{instance}}": f"1 - {memory}"}),
        (
            "Cores of each node in use",
            "percentunit",
            {"{{instance}}": f"1 - avg by (instance) ({cpu})"},
        ),
        (
            "How full claims are",
            "percentunit",
            {"{{persistentvolumeclaim}}": f"max by (persistentvolumeclaim) ({full})"},
        ),
    ]


def _panel(number: int, title: str, unit: str, drawn: dict[str, str]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + n), "expr": expression, "legendFormat": legend}
        for n, (legend, expression) in enumerate(drawn.items())
    ]
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "gridPos": {
            "x": _WIDTH * (number % 2),
            "y": _HEIGHT * (number // 2),
            "w": _WIDTH,
            "h": _HEIGHT,
        },
    }
