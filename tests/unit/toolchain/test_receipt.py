"""What a destroy says that it deleted, and what it left."""

from __future__ import annotations

from tests.unit.toolchain.test_state import CONTAINER, VOLUME, exported, resource
from toolchain.stacks import receipt

IMAGE = "docker:index/image:Image"


def test_what_stays_is_not_called_deleted() -> None:
    kept = resource(VOLUME, "homes", "jupyterhub-t-homes", protect=True, retainOnDelete=True)
    before = exported(
        kept,
        resource(VOLUME, "data", "jupyterhub-t-data", retainOnDelete=True),
        resource(VOLUME, "routes", "jupyterhub-t-routes"),
        resource(CONTAINER, "hub", "c0ffee"),
        resource(IMAGE, "image-hub", "pulumi-jupyterhub/hub:1"),
    )
    assert list(receipt.lines("t", before, exported(kept)))[:4] == [
        "Deleted: 1 Container, 1 Volume",
        "Left as they are: 1 Image, 1 Volume",
        "Kept: ",
        "  Volume homes: jupyterhub-t-homes",
    ]


def test_a_purge_names_what_it_deletes_and_what_it_leaves() -> None:
    claim = resource("kubernetes:core/v1:PersistentVolumeClaim", "homes", "ns/homes", protect=True)
    disk = resource("aws:ebs/volume:Volume", "data", "vol-1", protect=True)
    state = exported(claim, disk, resource(CONTAINER, "hub", "c0ffee"))
    assert (receipt.data(state), receipt.claims(state)) == (["vol-1"], ["ns/homes"])
