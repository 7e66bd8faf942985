"""One cluster for all tests of this folder, and one hub in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kubernetes import stack
from tests.kubernetes.stack import Hub
from tests.servers import kubernetes
from tests.servers.kubernetes import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real Kubernetes. Its bridge enforces no NetworkPolicy: nothing here tests one."""
    if reason := kubernetes.missing():
        pytest.skip(f"no Kubernetes for tests: {reason}")
    with kubernetes.running() as found:
        yield found


@pytest.fixture(scope="session")
def hub(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The stack, made by `make up`."""
    with stack.running(tmp_path_factory.mktemp("hub"), cluster) as found:
        yield found
