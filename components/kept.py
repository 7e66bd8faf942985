"""Which resources hold data: said here, once, for the components and for the preview report.

A preview tells no more of a resource than its URN and its own properties: so it is a component's
type and the type of its child, which every URN has. A component that makes another kind of holder
fails at once (`holder`), so the table can't fall behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import pulumi

_HOLDERS: Mapping[str, frozenset[str]] = {
    "jupyterhub:index:SharedVolume": frozenset(
        {
            "docker:index/volume:Volume",
            "aws:ebs/volume:Volume",
            "aws:efs/fileSystem:FileSystem",
            "aws:s3/bucket:Bucket",
            "gcp:compute/disk:Disk",
            "gcp:filestore/instance:Instance",
            "gcp:storage/bucket:Bucket",
            "openstack:blockstorage/volume:Volume",
            "openstack:objectstorage/container:Container",
            "openstack:sharedfilesystem/share:Share",
            "kubernetes:core/v1:PersistentVolumeClaim",
            "kubernetes:core/v1:PersistentVolume",
        }
    ),
}
R = TypeVar("R", bound=pulumi.Resource)


def holder(component: pulumi.ComponentResource, resource: R) -> R:
    """The component's resource that data is in; fails where nobody would know that it is."""
    kind, inside = component.pulumi_resource_type, resource.pulumi_resource_type
    assert inside in _HOLDERS.get(kind, ()), f"components/kept.py lacks {inside} of {kind}"
    return resource


def holds_data(state: Mapping[str, Any]) -> bool:
    """Whether data is in a resource, by its state as Pulumi's JSON has it.

    Whatever is protected counts, too: its owner said that losing it would hurt.
    """
    types = str(state.get("urn", "")).split("::")[2:3]
    *above, kind = types[0].split("$") if types else [""]
    return bool(state.get("protect")) or kind in _HOLDERS.get(above[-1] if above else "", ())


def names_a_folder(state: Mapping[str, Any]) -> bool:
    """Whether a volume only says where its files are: on a disk that outlives its machine."""
    return bool(((state.get("inputs") or {}).get("driverOpts") or {}).get("device"))
