"""A cluster on EKS: which resources, with which inputs, and what a change touches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.kubernetes.managed import HOME, USERS, compose
from tests.unit.kubernetes.managed import surround as surround_managed
from tests.unit.test_cloud import surround

GROUP = "aws:eks/nodeGroup:NodeGroup"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surround(monkeypatch, tmp_path)
    surround_managed(monkeypatch)


def test_the_control_plane() -> None:
    made = compose("eks")
    cluster, options = made.one("aws:eks/cluster:Cluster")
    print(cluster)
    print(made.kubeconfig, made.addresses, made.ready())
    print([k for k in made.recorder.inputs])
    assert cluster["vpcConfig"]["publicAccessCidrs"] == [HOME]
