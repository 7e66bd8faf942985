"""The stand-in for cloud plugins: what replaces, what it remembers, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.plugins.cloud_standin import rules
from toolchain.plugins.cloud_standin.cloud import FakeCloud, Injected

VM = "openstack:compute/instance:Instance"


def test_changes_are_told_by_path() -> None:
    old = {"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": None}
    new = {"a": 1, "b": {"c": [1], "d": "x"}, "e": []}
    assert rules.changed_paths(old, new) == {"b.c"}


def test_what_replaces_is_by_type() -> None:
    assert rules.replacing(VM, {"userData", "flavorName"}) == ["userData"]
    nested = {"rootBlockDevice.volumeSize", "rootBlockDevice.encrypted"}
    assert rules.replacing("aws:ec2/instance:Instance", nested) == ["rootBlockDevice.encrypted"]
    assert rules.replacing("gcp:compute/instance:Instance", {"bootDisk.initializeParams.image"})
    assert rules.replacing("no:such/type:Type", {"anything"}) == ["anything"]


def test_the_cloud_remembers_and_fails_where_told(tmp_path: Path) -> None:
    cloud = FakeCloud(tmp_path)
    failure = {"type": VM, "operation": "create", "message": "no room", "times": 1}
    cloud.edit(lambda known: known.update(fail=[failure]))
    with pytest.raises(Injected, match="no room"):
        cloud.create(VM, {}, {})
    id, _ = cloud.create(VM, {"name": "a"}, {"name": "a"})
    assert id == "standin-instance-1"
    assert FakeCloud(tmp_path).read(id) == {
        "type": VM,
        "inputs": {"name": "a"},
        "outputs": {"name": "a"},
    }
    cloud.delete(id)
    assert cloud.read(id) is None


def test_every_type_in_the_tables_is_one_of_the_sdks() -> None:
    """A typing mistake in a table would be a rule that never holds."""
    import importlib

    for table in ("replaces", "computed"):
        for token in rules._data(table):
            package, module, name = token.split(":")
            where = module.split("/")[0]
            if package == "kubernetes":  # core/v1, helm.sh/v3
                where = module.replace(".sh/", "/").replace("/", ".")
            sdk = importlib.import_module(f"pulumi_{package}.{where}")
            assert hasattr(sdk, name), token
