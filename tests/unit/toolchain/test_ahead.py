"""Images are built ahead where this project's own plugin will ask for them, and only there."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, cast

import pytest

from toolchain.setup import pulumi_cli
from toolchain.setup.steps import Problem
from toolchain.stacks import ahead, ready


class Setup:
    """A machine without Pulumi, and a vendor that answers when the test says so."""

    def __init__(self) -> None:
        self.vendor_answers, self.is_there = threading.Event(), False
        self.asked = threading.Event()
        self.built: list[str] = []
        self.downloads = True

    def download(self) -> bool:
        self.asked.set()
        assert self.vendor_answers.wait(30)
        self.is_there = self.downloads
        return self.downloads

    def build(self) -> None:
        self.built.append("pulumi")
        self.is_there = True

    def find(self) -> pulumi_cli.Pulumi | None:
        own = not self.downloads
        return pulumi_cli.Pulumi(Path("pulumi"), own, own) if self.is_there else None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Setup:
    made = Setup()
    monkeypatch.setattr(pulumi_cli, "_download", made.download)
    monkeypatch.setattr(pulumi_cli, "_build", made.build)
    monkeypatch.setattr(pulumi_cli, "find", made.find)
    monkeypatch.setattr(pulumi_cli.provider_plugins, "install", lambda *_: True)
    monkeypatch.setattr(pulumi_cli.provider_plugins, "is_installed", lambda name: False)
    monkeypatch.setattr(ready.docker_engine, "ensure", lambda engine: None)
    monkeypatch.setattr(ready.base_images, "ensure", lambda engine: None)
    monkeypatch.setattr(ready.python_env, "ensure", lambda: None)
    monkeypatch.setattr(ready.root_needs, "check", lambda file: None)
    monkeypatch.setattr(ready, "Stack", _Stack)
    monkeypatch.setattr(ahead, "_builds", lambda stack: made.built.append("images") or [])
    return made


class _Stack:
    file, engine = Path("Pulumi.test.yaml"), cast(Any, "an engine")

    def __init__(self, name: str) -> None:
        self.name = name

    def require_file(self) -> None:
        pass

    def ensure(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    ("downloads", "built"), [(True, []), (False, ["images", "pulumi"])], ids=["vendor", "modules"]
)
def test_a_slow_vendor_is_waited_for(machine: Setup, downloads: bool, built: list[str]) -> None:
    machine.downloads = downloads
    making = threading.Thread(target=ready.set_up, args=("test",), daemon=True)
    making.start()
    assert machine.asked.wait(30)
    assert not machine.built, "nobody knows yet who builds images"
    machine.vendor_answers.set()
    making.join(30)
    assert sorted(machine.built) == built


def test_images_dont_wait_for_the_build(machine: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.downloads = False
    machine.vendor_answers.set()
    own_plugin: Future[bool] = Future()
    known_before: list[bool] = []
    monkeypatch.setattr(
        pulumi_cli, "_build", lambda: (known_before.append(own_plugin.done()), machine.build())
    )
    pulumi_cli.ensure(own_plugin)
    assert known_before == [True] and own_plugin.result()


def test_where_pulumi_cannot_be_set_up_nobody_waits(
    machine: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> bool:
        raise Problem("the disk is full")

    monkeypatch.setattr(pulumi_cli, "_download", broken)
    own_plugin: Future[bool] = Future()
    with pytest.raises(Problem, match="the disk is full"):
        pulumi_cli.ensure(own_plugin)
    with pytest.raises(CancelledError):
        own_plugin.result(0)
    ahead.build(cast(Any, None), cast(Any, None), own_plugin)
    assert not machine.built
