"""What a changed property does to an object, and what differs between two of its forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Values = dict[str, Any]

# As in the official provider, for the kinds that this project makes and their nearest neighbours.
_REPLACES = {
    "DaemonSet": ("spec.selector",),
    "Deployment": ("spec.selector",),
    "StatefulSet": (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    "Job": ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    "PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    "PersistentVolume": ("spec.csi", "spec.hostPath", "spec.local", "spec.nfs"),
    "Pod": ("spec",),
    "ResourceQuota": ("spec.scopes",),
    "Secret": ("type", "data", "stringData"),
    "ConfigMap": ("data", "binaryData"),
    "Service": ("spec.clusterIP",),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "StorageClass": ("parameters", "provisioner"),
}
_CONTENT = ("data", "stringData", "binaryData")
_ALWAYS = ("apiVersion", "kind", "metadata.name", "metadata.namespace")


def changed(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Paths of the properties that differ; a list is one property."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if not key.startswith("__"):
                inner = f"{path}.{key}" if path else key
                yield from changed(old.get(key), new.get(key), inner)
    elif _bare(old) != _bare(new):
        yield path


def replacing(kind: str, paths: list[str], new: Values, mutable: frozenset[str]) -> list[str]:
    """Those of the paths that make another object.

    Args:
        mutable: kinds of `Secret` and `ConfigMap` whose content the provider changes in place.
    """
    forcing = _ALWAYS + _REPLACES.get(kind, ())
    if kind in mutable and not new.get("immutable"):
        forcing = tuple(each for each in forcing if each not in _CONTENT)
    return [path for path in paths if any((path + ".").startswith(f + ".") for f in forcing)]


def as_found(live: Any, wanted: Any) -> Any:
    """What a program named, as it is on the cluster, which fills in much more."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return {key: as_found(live[key], wanted[key]) for key in wanted if key in live}
    if isinstance(wanted, list) and isinstance(live, list) and len(live) == len(wanted):
        return [as_found(one, other) for one, other in zip(live, wanted, strict=True)]
    return wanted if _bare(live) == _bare(wanted) else live


def _bare(value: Any) -> Any:
    """Without what means nothing: absent, none, and empty are the same to the API."""
    if isinstance(value, Mapping):
        inner = {k: _bare(v) for k, v in value.items() if not k.startswith("__")}
        return {k: v for k, v in inner.items() if v is not None} or None
    if isinstance(value, list):
        return [_bare(item) for item in value] or None
    return None if value == "" else value
