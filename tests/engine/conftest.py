"""What the engine tests share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests import engine_lock
from tests.engine.consumer import Environment, wheel


@pytest.fixture(scope="session")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and every extra that the examples need."""
    folder = tmp_path_factory.mktemp("consumer")
    built = wheel(folder / "wheel")
    return Environment(folder / "venv", built, "aws", "gcp", "openstack")


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and no extra."""
    folder = tmp_path_factory.mktemp("bare")
    return Environment(folder / "venv", wheel(folder / "wheel"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if not item.path.is_relative_to(Path(__file__).parent):  # pytest asks for all folders' tests
        return (yield)
    with engine_lock.in_use():
        return (yield)
