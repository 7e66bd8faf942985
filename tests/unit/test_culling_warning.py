"""When JupyterLab warns that a server is about to be stopped."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "images/notebook"
MINUTE, HOUR = 60, 3600


@pytest.fixture
def culling(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The image's module; Jupyter itself is in the image only."""
    base = ModuleType("jupyter_server.base.handlers")
    vars(base)["APIHandler"] = type("APIHandler", (), {})
    for name in ("jupyter_server", "jupyter_server.base"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, base.__name__, base)
    monkeypatch.syspath_prepend(str(NOTEBOOK))
    import culling

    yield culling
    del sys.modules["culling"]


def answer(
    culling: Any, idle: float = 0, age: float = 0, busy: bool = False, **told: object
) -> SimpleNamespace:
    limits = culling.Limits({f"CULLING_{name.upper()}": str(value) for name, value in told.items()})
    return SimpleNamespace(**limits.answer(idle, age, busy))


def test_an_idle_server_is_told_in_its_last_minutes(culling: Any) -> None:
    early = answer(culling, idle=HOUR - 6 * MINUTE, timeout=HOUR)
    assert (early.message, early.again) == (None, MINUTE)
    late = answer(culling, idle=HOUR - 4.5 * MINUTE, timeout=HOUR)
    assert "Nobody is using your server: it is stopped in 5 minutes." in late.message
    assert late.extends
    assert "any moment now" in answer(culling, idle=HOUR + 9, timeout=HOUR).message


def test_the_page_asks_again_before_it_is_too_late(culling: Any) -> None:
    assert answer(culling, idle=HOUR - 5 * MINUTE - 7, timeout=HOUR).again == 7
    assert answer(culling, idle=14, timeout=20).again <= 6


def test_a_busy_server_is_not_warned_unless_it_is_stopped_too(culling: Any) -> None:
    assert answer(culling, idle=HOUR, busy=True, timeout=HOUR).message is None
    limits = culling.Limits({"CULLING_TIMEOUT": "3600", "CULLING_BUSY": "true"})
    assert limits.answer(HOUR, 0, True)["message"]


def test_an_age_cannot_be_put_off(culling: Any) -> None:
    told = answer(culling, age=24 * HOUR - 2 * MINUTE, busy=True, timeout=HOUR, max_age=24 * HOUR)
    assert "it has run as long as servers may. Save your work" in told.message
    assert not told.extends


def test_whichever_comes_first_is_told(culling: Any) -> None:
    ends = {"timeout": HOUR, "max_age": 24 * HOUR}
    idle_first = answer(culling, idle=HOUR - 60, age=24 * HOUR - 90, **ends)
    age_first = answer(culling, idle=HOUR - 90, age=24 * HOUR - 60, **ends)
    assert (idle_first.extends, age_first.extends) == (True, False)


def test_without_culling_the_page_asks_once(culling: Any) -> None:
    for off in ({}, {"timeout": 0, "max_age": 0}):
        told = answer(culling, idle=10 * HOUR, age=100 * HOUR, **off)
        assert (told.message, told.again) == (None, None)


def test_jupyterlab_finds_the_extension() -> None:
    described = json.loads((NOTEBOOK / "labextension/package.json").read_text())
    path, _, version = described["jupyterlab"]["_build"]["load"].partition("?v=")
    script = (NOTEBOOK / "labextension" / path).read_bytes()
    assert f'const NAME = "{described["name"]}"' in script.decode()
    # Browsers keep it for a year, by its whole address.
    assert version == hashlib.sha256(script).hexdigest()[:12]
    assert f"labextensions/{described['name']}\n" in (NOTEBOOK / "Dockerfile").read_text()
