"""A disk that is too small for what comes is said before anything is built."""

import shutil
from types import SimpleNamespace
from typing import Any

import pytest

from toolchain.setup import docker_engine
from toolchain.setup.steps import Problem


class Engine:
    """Answers as an engine does; without any image on it."""

    def call(self, method: str, path: str) -> Any:
        return {"DockerRootDir": "/", "Images": 0} if path == "/info" else []

    def has_image_of(self, prefix: str) -> bool:
        return False


def test_a_short_disk_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0.5e9))
    with pytest.raises(Problem, match=r"0\.5 GB are free at /.*Make room"):
        docker_engine._check_disk(Engine())  # type: ignore[arg-type]


def test_a_large_disk_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100e9))
    docker_engine._check_disk(Engine())  # type: ignore[arg-type]
