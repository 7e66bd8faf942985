"""DaskCluster on Kubernetes: dask-gateway, which gives each user clusters of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from ..images import ImageStore
from ..jupyterhub_host.component import JupyterHubHost
from ..platforms.charts import CHARTS, release
from ..platforms.kubernetes import KubernetesCluster
from ..platforms.policies import names, ways_out
from ..shared_volume.component import SharedVolume
from .args import DaskClusterArgs
from .machines import WorkerMachines

PREFIX = "/services/dask-gateway"  # below the hub, which passes it on
_HUB_API = "http://hub:8081/hub/api"
_SETTINGS = "PULUMI_JUPYTERHUB_DASK"
# What the chart has no values for. The same for every stack: what differs comes as JSON.
_CONFIG = f"""
from dask_gateway_server.options import Options, Select

told = json.loads(os.environ["{_SETTINGS}"])
c.ClusterConfig.idle_timeout = told["idle_timeout"]
c.ClusterConfig.cluster_max_workers = told["max_workers"]
# Dask's older commands, `dask-scheduler` and `dask-worker`, are in no newer Dask.
c.ClusterConfig.scheduler_cmd = ["dask", "scheduler"]
c.ClusterConfig.worker_cmd = ["dask", "worker"]
c.Backend.cluster_options = Options(
    Select("image", told["images"]), handler=lambda chosen: {{"image": chosen.image}}
)
"""


@dataclass(frozen=True)
class Made:
    """What every platform file of DaskCluster returns."""

    address: pulumi.Output[str]


def create(
    name: str,
    args: DaskClusterArgs,
    cluster: KubernetesCluster,
    images: ImageStore,
    hub: JupyterHubHost,
    shared: SharedVolume,
    parent: pulumi.Resource,
    machines: WorkerMachines | None = None,
) -> Made:
    """Makes the gateway. The hub's part of it is `for_hub`.

    The chart brings a Traefik of its own, which looks at its own routes only, and CRDs. Those of
    Traefik belong to whoever came first: helm leaves CRDs alone that are there.
    """
    fullname = cluster.named(name)
    notebook = hub.args.images[0]
    closed = kubernetes.networking.v1.NetworkPolicy(
        f"{name}-pods",
        metadata={
            "name": f"{fullname}-pods",
            "namespace": cluster.namespace,
            "labels": cluster.labels("dask"),
        },
        spec=policy(
            fullname, [*hub.args.reach, *images.egress.hosts()], mounts=[shared.args.server]
        ),
        opts=cluster.options(parent),
    )
    release(
        name,
        cluster,
        parent,
        chart=CHARTS["dask-gateway"],
        values=chart_values(
            args,
            fullname=fullname,
            images=[images.get(each.source).reference for each in hub.args.images],
            owner=(notebook.uid, notebook.gid),
            shared=(shared.volume, f"{notebook.home}/shared"),
        ),
        own=args.gateway.values,
        depends_on=[hub, closed],
    )
    return Made(pulumi.Output.from_input(address(fullname)))


def address(fullname: str) -> str:
    """Where a notebook asks for clusters."""
    return f"http://traefik-{fullname}{PREFIX}"


def chart_values(
    args: DaskClusterArgs,
    *,
    fullname: str,
    images: Sequence[str],
    owner: tuple[int, int],
    shared: tuple[pulumi.Input[str], str] | None = None,
) -> dict[str, Any]:
    """Values of the chart.

    Args:
        images: those of the hub, the first is the default; no others run.
        owner: user and group that scheduler and workers run as.
        shared: claim of the shared folder, and where it is seen.
    """
    told = {
        "idle_timeout": args.gateway.idle_timeout,
        "max_workers": args.workers,
        "images": list(images),
    }
    gateway = {
        "prefix": PREFIX,
        # The hub's chart makes the service's token, and its Secret is the chart's default here.
        "auth": {"type": "jupyterhub", "jupyterhub": {"apiUrl": _HUB_API}},
        "env": [{"name": _SETTINGS, "value": json.dumps(told)}],
        "extraConfig": {"pulumi-jupyterhub": _CONFIG},
        "backend": {
            "scheduler": {
                "cores": {"request": 0.1, "limit": 1},
                "memory": _both(int(args.gateway.scheduler_memory)),
                **_pod(owner, None),
            },
            "worker": {
                "cores": _both(args.threads),
                "memory": _both(int(args.memory)),
                "threads": args.threads,
                **_pod(owner, shared),
            },
        },
    }
    # Inside the cluster: browsers come by the hub.
    return {
        "fullnameOverride": fullname,
        "gateway": gateway,
        "traefik": {"service": {"type": "ClusterIP"}},
    }


def policy(
    fullname: str, reach: Sequence[str], mounts: Sequence[pulumi.Input[str] | None] = ()
) -> dict[str, Any]:
    """Where schedulers and workers go, in which users' code runs: as from users' servers.

    Besides, to each other and to the gateway. Who comes to them is as the cluster has it.
    """
    own = {"gateway.dask.org/instance": fullname}
    kinds = {
        "key": "app.kubernetes.io/component",
        "operator": "In",
        "values": ["dask-scheduler", "dask-worker"],
    }
    return {
        "podSelector": {"matchLabels": own, "matchExpressions": [kinds]},
        "policyTypes": ["Egress"],
        "egress": [
            {"to": [{"podSelector": {"matchLabels": own}}]},
            names(),
            *ways_out(reach, mounts),
        ],
    }


def _both(value: float) -> dict[str, float]:
    return {"request": value, "limit": value}


def _pod(owner: tuple[int, int], shared: tuple[pulumi.Input[str], str] | None) -> dict[str, Any]:
    """A pod in which users' code runs: no account of the cluster, nothing to write but its own."""
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsUser": owner[0], "runAsGroup": owner[1], "runAsNonRoot": True},
    }
    container: dict[str, Any] = {
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "workingDir": "/tmp",
    }
    if shared:
        claim = {"claimName": shared[0], "readOnly": True}
        pod["volumes"] = [{"name": "shared", "persistentVolumeClaim": claim}]
        mount = {"name": "shared", "mountPath": shared[1], "readOnly": True}
        container["volumeMounts"] = [mount]
    return {"extraPodConfig": pod, "extraContainerConfig": container}


def for_hub(fullname: str) -> dict[str, Any]:
    """What the hub's chart is told: the service, notebooks' settings, the way to the gateway."""
    service = f"http://traefik-{fullname}"
    way = {
        "to": [{"podSelector": {"matchLabels": {"gateway.dask.org/instance": fullname}}}],
        "ports": [{"port": 8000, "protocol": "TCP"}],  # of the gateway's own Traefik
    }
    return {
        "hub": {"services": {"dask-gateway": {"display": False, "url": service}}},
        "singleuser": {
            "extraEnv": {
                "DASK_GATEWAY__ADDRESS": address(fullname),
                "DASK_GATEWAY__PROXY_ADDRESS": f"gateway://traefik-{fullname}:80",
                "DASK_GATEWAY__PUBLIC_ADDRESS": f"{PREFIX}/",
                "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
                # Filled in by dask-gateway in the notebook: the image that it is. Braces are
                # doubled, as KubeSpawner would fill them in itself, and knows no such thing.
                "DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE": "{{JUPYTER_IMAGE_SPEC}}",
                # JupyterLab's button for a new cluster, and its dashboards.
                "DASK_LABEXTENSION__FACTORY__MODULE": "dask_gateway",
                "DASK_LABEXTENSION__FACTORY__CLASS": "GatewayCluster",
            },
            "networkPolicy": {"egress": [way]},
        },
    }
