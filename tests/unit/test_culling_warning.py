"""When JupyterLab warns that a server is about to be stopped, and what counts as work in it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hubkit.settings import Culling

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


class Server:
    """A Jupyter server, as far as the look for work knows it."""

    def __init__(self, *kernels: dict[str, Any]) -> None:
        self.kernel_manager = SimpleNamespace(list_kernels=lambda: list(kernels))
        self.settings: dict[str, Any] = {}
        self.web_app = SimpleNamespace(settings=self.settings)


def program(
    proc: Path, pid: int, name: str, ticks: int, group: int | None = None, front: int = -1
) -> None:
    """The kernel's line about a program; its session is 10's, a shell in a terminal."""
    folder = proc / str(pid)
    folder.mkdir(exist_ok=True)
    rest = ["S", 1, group or pid, 10, 0, front, *[0] * 5, ticks, 0, 0, 0, *[0] * 4, 99]
    (folder / "stat").write_text(f"{pid} ({name}) {' '.join(map(str, rest))}\n")


def looks(culling: Any, proc: Path, seconds: float, *kernels: dict[str, Any]) -> Any:
    """A look, so many seconds after the one before."""
    made = culling.Work(Server(*kernels), proc)
    made.look()
    made._looked -= seconds
    return made


def test_a_busy_kernel_is_work_though_it_prints_nothing(culling: Any, tmp_path: Path) -> None:
    idle, busy = {"execution_state": "idle"}, {"execution_state": "busy"}
    assert not looks(culling, tmp_path, 0, idle, {}).goes_on
    work = looks(culling, tmp_path, 0, idle, busy)
    assert work.goes_on
    assert "work_last_activity" in work._app.settings  # where Jupyter looks for activity


def test_what_computes_is_work_and_what_only_lives_is_not(culling: Any, tmp_path: Path) -> None:
    program(tmp_path, 20, "rsession", 1000)
    program(tmp_path, 21, "odd) name (x", 1000)
    work = looks(culling, tmp_path, 60)
    assert not work.goes_on  # what was computed before counts no more
    program(tmp_path, 20, "rsession", 1000 + culling._TICKS)  # a second of sixty
    work.look()
    assert not work.goes_on and not work._app.settings
    work._looked -= 60
    program(tmp_path, 21, "odd) name (x", 1000 + 10 * culling._TICKS)
    work.look()
    assert work.goes_on
    work._looked -= 60
    work.look()
    assert not work.goes_on


def test_the_server_itself_is_no_work(culling: Any, tmp_path: Path) -> None:
    program(tmp_path, os.getpid(), "jupyterhub-sing", 0)
    work = looks(culling, tmp_path, 60)
    program(tmp_path, os.getpid(), "jupyterhub-sing", 60 * culling._TICKS)
    work.look()
    assert not work.goes_on


@pytest.mark.parametrize(
    ("name", "group", "is_work"),
    [("sleep", 11, True), ("bash", 11, False), ("bash", 10, False), ("sleep", 12, False)],
)
def test_a_program_in_front_of_a_terminal_is_work(
    culling: Any, tmp_path: Path, name: str, group: int, is_work: bool
) -> None:
    """A shell is not, nor what runs behind it."""
    front = 10 if group == 10 else 11
    program(tmp_path, 30, name, 0, group, front)
    assert looks(culling, tmp_path, 0).goes_on is is_work


def test_real_programs_are_read(culling: Any) -> None:
    before = {each.key: each.seconds for each in culling.programs()}
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            time.sleep(1)
            found = {each.key: each for each in culling.programs()}
        finally:
            busy.kill()
    (own,) = (each for key, each in found.items() if key[0] == busy.pid)
    assert own.key not in before
    assert own.seconds > 0.2
    assert not own.in_front


def test_a_look_that_fails_leaves_the_next_one_right(culling: Any, tmp_path: Path) -> None:
    (tmp_path / "40").mkdir()  # it ended while it was looked at
    (tmp_path / "41").mkdir()
    (tmp_path / "41" / "stat").write_text("41 (half")
    assert not looks(culling, tmp_path, 0).goes_on


def test_where_busy_servers_are_stopped_nobody_looks(culling: Any) -> None:
    told = {"CULLING_TIMEOUT": "3600"}
    assert culling.Limits(told).counts_work
    assert not culling.Limits(told | {"CULLING_BUSY": "true"}).counts_work
    assert not culling.Limits({}).counts_work


@pytest.mark.parametrize("timeout", [10, 24, 300, 3600])
def test_the_hub_hears_of_work_well_before_the_end(culling: Any, timeout: int) -> None:
    """A look, and the report after it, which JupyterHub makes up to a tenth later."""
    told = Culling(enabled=True, timeout=timeout, every=2, max_age=0, cull_busy=False)
    often = culling.Limits(told.environment).often
    assert often + 1.1 * told.report_every < 0.6 * timeout


def test_jupyterlab_finds_the_extension() -> None:
    described = json.loads((NOTEBOOK / "labextension/package.json").read_text())
    path, _, version = described["jupyterlab"]["_build"]["load"].partition("?v=")
    script = (NOTEBOOK / "labextension" / path).read_bytes()
    assert f'const NAME = "{described["name"]}"' in script.decode()
    # Browsers keep it for a year, by its whole address.
    assert version == hashlib.sha256(script).hexdigest()[:12]
    assert f"labextensions/{described['name']}\n" in (NOTEBOOK / "Dockerfile").read_text()
