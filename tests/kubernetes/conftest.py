"""One cluster for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import kubernetes
from tests.servers.kubernetes import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real Kubernetes. Its bridge enforces no NetworkPolicy: nothing here tests one."""
    if reason := kubernetes.missing():
        pytest.skip(f"no Kubernetes for tests: {reason}")
    with kubernetes.running() as found:
        yield found
