"""What holds data is known to the preview report, whatever a cloud calls it."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components import DockerHost, DockerHostArgs, SharedVolume, SharedVolumeArgs, Site, SiteArgs
from components.kept import holds_data

COMPUTED = {
    "openstack:sharedfilesystem/share:Share": {"exportLocations": [{"path": "server:/share"}]},
    "gcp:filestore/instance:Instance": {"networks": [{"ipAddresses": ["10.0.0.2"]}]},
}


class Mocks(pulumi.runtime.Mocks):
    """Answers for the engine, with what a cloud fills in."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", dict(args.inputs) | COMPUTED.get(args.typ, {})

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        endpoint = {"interface": "public", "url": "https://keystone"}
        return {"serviceCatalogs": [{"type": "identity", "endpoints": [endpoint]}]}


PLACES = {
    "aws": SiteArgs(zone="eu-central-1a"),
    "gcp": SiteArgs(zone="europe-west1-b", account="p"),
    "openstack": SiteArgs(),
}


@pytest.mark.parametrize("kind", ["block", "filesystem", "bucket"])
@pytest.mark.parametrize("cloud", list(PLACES))
def test_every_kind_of_volume_on_every_cloud(cloud: str, kind: str) -> None:
    pulumi.runtime.set_mocks(Mocks(), project="jupyterhub", stack="test", preview=False)

    @pulumi.runtime.test
    def made() -> pulumi.Output[None]:
        site = Site.connect(cloud, "test", PLACES[cloud], network="network")
        volume = SharedVolume("data", SharedVolumeArgs(kind=kind), site)
        return volume.made.holder.urn.apply(_is_known)

    made()


def test_a_volume_of_docker() -> None:
    pulumi.runtime.set_mocks(Mocks(), project="jupyterhub", stack="test", preview=False)

    @pulumi.runtime.test
    def made() -> pulumi.Output[None]:
        host = DockerHost.connect("test", DockerHostArgs())
        volume = SharedVolume("data", SharedVolumeArgs(), host)
        return volume.made.holder.urn.apply(_is_known)

    made()


def _is_known(urn: str) -> None:
    assert "jupyterhub:index:SharedVolume$" in urn
    assert holds_data({"urn": urn})


def test_nothing_else_is() -> None:
    start = "urn:pulumi:s::p::"
    for kind in (
        "docker:index/volume:Volume",  # somebody's own
        "jupyterhub:index:TraefikProxy$docker:index/volume:Volume",
        "jupyterhub:index:SharedVolume$openstack:sharedfilesystem/shareAccess:ShareAccess",
        "jupyterhub:index:CloudVM$aws:ec2/instance:Instance",
    ):
        assert not holds_data({"urn": f"{start}{kind}::x"})
        assert holds_data({"urn": f"{start}{kind}::x", "protect": True})
    wrapped = "acme:index:Class$jupyterhub:index:SharedVolume$docker:index/volume:Volume"
    assert holds_data({"urn": f"{start}{wrapped}::x"})
