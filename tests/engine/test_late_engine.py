"""A container that the engine is still making when its stack has given up."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.servers.slow_volumes import slow_volumes
from toolchain.setup.base_images import DEBIAN
from toolchain.setup.engine import LABEL, Engine, EngineError
from toolchain.setup.steps import is_root
from toolchain.stacks import converge
from toolchain.stacks.stack import Stack

STACK = "tlate"
NAME = f"jupyterhub-{STACK}-hub"
LABELS = {f"{LABEL}.deployment": f"jupyterhub-{STACK}", f"{LABEL}.role": "hub"}


@pytest.mark.skipif(not is_root(), reason="a volume driver for the engine needs root")
def test_a_container_that_is_still_being_made_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is taken and it isn't listed: what was seen on a machine under load."""
    engine, stack = Engine(), Stack(STACK)
    monkeypatch.setattr(stack, "exported", dict)
    with slow_volumes("tlate", tmp_path) as driver:
        try:
            with pytest.raises(TimeoutError):
                _make(engine, timeout=1)  # who asked has given up
            assert driver.asked.is_set()
            with pytest.raises(EngineError, match="already in use") as refused:
                _make(engine)
            assert engine.containers(stack.deployment) == []
            stack.shown = [f"  error: {refused.value}"]
            threading.Timer(2, driver.goes_on.set).start()
            assert converge.took_back(stack, engine)
            assert not engine.has_container(NAME)
            engine.remove_container(_make(engine))
        finally:
            driver.goes_on.set()
            _clear(engine)


def _make(engine: Engine, timeout: float = 60) -> str:
    mount = {
        "Type": "volume",
        "Source": f"{STACK}-slow",
        "Target": "/slow",
        "VolumeOptions": {"DriverConfig": {"Name": "tlate"}},
    }
    body = {"Image": DEBIAN, "Labels": LABELS, "HostConfig": {"Mounts": [mount]}}
    path = f"/containers/create?name={NAME}"
    return str(engine.call("POST", path, body, timeout=timeout)["Id"])


def _clear(engine: Engine) -> None:
    for container in engine.containers(f"jupyterhub-{STACK}"):
        engine.remove_container(container["Id"])
    engine.remove("volumes", f"{STACK}-slow")
