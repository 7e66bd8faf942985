"""What the engine tests share."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Generator
from pathlib import Path

import pytest

from tests import engine_lock
from tests.checkout import ROOT
from tests.engine.consumer import Environment, wheel


@pytest.fixture(scope="session")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and every extra that the examples need.

    It has the oldest SDK of Pulumi that the library allows; this checkout's has a new one.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (oldest,) = re.findall(r"^pulumi>=([\d.]+)", "\n".join(project["dependencies"]), re.M)
    folder = tmp_path_factory.mktemp("consumer")
    built = wheel(folder / "wheel")
    extras = ("aws", "gcp", "openstack")
    return Environment(folder / "venv", built, *extras, also=[f"pulumi=={oldest}"])


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
