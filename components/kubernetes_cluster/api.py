"""What a cluster is asked, by the official client: which one it is, what it has, what is stuck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_PATIENCE = (3, 10)  # seconds to connect, to answer
_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_HELM = "owner=helm"
_STUCK = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


@dataclass(frozen=True)
class Node:
    """What a node has for pods: cores, bytes, GPUs."""

    cpus: float
    memory: int
    gpus: int


@dataclass(frozen=True)
class Facts:
    """What a cluster says of itself; what it may not tell is None.

    Attributes:
        id: of its kube-system namespace, which is another one in every cluster.
        storage_classes: names, the default one first.
        releases: charts' releases in the namespace by name, with whose they are.
        claims: names of the namespace's claims.
    """

    id: str
    storage_classes: list[str] | None = None
    has_default: bool = False
    ingress_classes: list[str] | None = None
    nodes: list[Node] | None = None
    releases: Mapping[str, str] = field(default_factory=dict)
    claims: list[str] | None = None


def client(kubeconfig: str, context: str | None) -> Any:
    """The client of a kubeconfig, which may call a program for its token."""
    from kubernetes import config

    return config.new_client_from_config_dict(yaml.safe_load(kubeconfig), context)


def look(api: Any, namespace: str) -> Facts:
    """Asks the cluster; raises what the first question raises, the others may be forbidden."""
    from kubernetes import client as k8s

    core = k8s.CoreV1Api(api)
    known = core.read_namespace("kube-system", _request_timeout=_PATIENCE)
    classes = _allowed(k8s.StorageV1Api(api).list_storage_class)
    ingress = _allowed(k8s.NetworkingV1Api(api).list_ingress_class)
    nodes = _allowed(core.list_node)
    releases = _allowed(core.list_namespaced_secret, namespace, label_selector=_HELM)
    claims = _allowed(core.list_namespaced_persistent_volume_claim, namespace)
    names = _names(classes)
    default = next((c.metadata.name for c in classes or [] if _is_default(c)), None)
    if names and default:
        names = [default, *(name for name in names if name != default)]
    return Facts(
        id=known.metadata.uid,
        storage_classes=names,
        has_default=default is not None,
        ingress_classes=_names(ingress),
        nodes=None if nodes is None else [_node(each) for each in nodes],
        releases={s.metadata.labels["name"]: s.metadata.labels["status"] for s in releases or []},
        claims=_names(claims),
    )


def let_go_on(api: Any, namespace: str, release: str, is_new: bool = False) -> list[str]:
    """Forgets a release's revision that was under way when somebody was killed.

    Helm refuses everything while it is there. What it had made already is taken by the next
    revision: it carries the release's name. Of a release that `is_new` to the state all revisions
    are forgotten, as they are there where a cluster has outlived the state.
    """
    from kubernetes import client as k8s

    core = k8s.CoreV1Api(api)
    stuck_only = f",status in ({','.join(_STUCK)})"
    selector = f"{_HELM},name={release}" + ("" if is_new else stuck_only)
    stuck = core.list_namespaced_secret(
        namespace, label_selector=selector, _request_timeout=_PATIENCE
    )
    names = [each.metadata.name for each in stuck.items]
    for name in names:
        core.delete_namespaced_secret(name, namespace, _request_timeout=_PATIENCE)
    return names


def _allowed(ask: Any, *words: Any, **more: Any) -> list[Any] | None:
    """The answer's items; None where one may not ask."""
    from kubernetes.client.rest import ApiException

    try:
        return list(ask(*words, _request_timeout=_PATIENCE, **more).items)
    except ApiException:
        return None


def _names(items: list[Any] | None) -> list[str] | None:
    return None if items is None else sorted(item.metadata.name for item in items)


def _is_default(storage_class: Any) -> bool:
    return (storage_class.metadata.annotations or {}).get(_DEFAULT) == "true"


def _node(node: Any) -> Node:
    from kubernetes.utils import parse_quantity

    has = node.status.allocatable
    gpus = int(parse_quantity(has.get("nvidia.com/gpu", "0")))
    return Node(float(parse_quantity(has["cpu"])), int(parse_quantity(has["memory"])), gpus)
