"""A cluster on GKE: which resources, with which inputs, and what a change touches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.kubernetes.managed import HOME, USERS, compose
from tests.unit.kubernetes.managed import surround as surround_managed
from tests.unit.test_cloud import surround

POOL = "gcp:container/nodePool:NodePool"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surround(monkeypatch, tmp_path)
    surround_managed(monkeypatch)


def test_the_control_plane() -> None:
    made = compose("gke", USERS, {"name": "gpu", "gpus": 1, "min": 0, "max": 3})
    cluster, options = made.one("gcp:container/cluster:Cluster")
    print(cluster)
    print(made.of(POOL))
    print(made.kubeconfig, made.addresses, made.ready())
    print([k for k in made.recorder.inputs])
