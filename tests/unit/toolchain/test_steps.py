"""Steps side by side: all faults are told, and nothing goes on for nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from toolchain.setup import steps
from toolchain.setup.steps import Problem, expect, run, side_by_side, step

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def _fails(text: str) -> None:
    raise Problem(text)


def test_they_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)
    side_by_side(meeting.wait, meeting.wait)


def test_a_failure_ends_what_runs_beside_it() -> None:
    begun = time.monotonic()
    with pytest.raises(Problem, match=r"^no network$"):
        side_by_side(lambda: run(SLEEP, "a long build"), lambda: _fails("no network"))
    assert time.monotonic() - begun < 30
    run([sys.executable, "-c", ""], "the next command")  # the next run is not ended


def test_all_faults_are_told() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def fails(text: str) -> None:
        meeting.wait()
        _fails(text)

    with pytest.raises(Problem) as told:
        side_by_side(lambda: fails("no disk"), lambda: fails("no network"))
    assert "no disk" in str(told.value) and "no network" in str(told.value)


def test_one_inside_of_another_ends_with_it() -> None:
    def inner() -> None:
        side_by_side(lambda: run(SLEEP, "one"), lambda: run(SLEEP, "two"))

    begun = time.monotonic()
    with pytest.raises(Problem, match=r"^no network$"):
        side_by_side(inner, lambda: _fails("no network"))
    assert time.monotonic() - begun < 30


def test_steps_are_counted_as_they_end(capsys: pytest.CaptureFixture[str]) -> None:
    expect(2)
    with step("slow"), step("quick"):
        pass
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("  [1/2] ✓ quick") and second.startswith("  [2/2] ✓ slow")


def test_a_failed_command_shows_its_end_and_where_the_rest_is(tmp_path: Path) -> None:
    with pytest.raises(Problem) as told:
        run([sys.executable, "-c", "print('the cause'); exit(3)"], "a build")
    assert "the cause" in str(told.value)
    assert str(tmp_path / steps.paths.NAME / "logs" / "a-build.log") in str(told.value)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by a program that cleans up after itself, so that there is room again."""
    with pytest.raises(Problem) as told:
        run(["sh", "-c", "cat /proc/version >/dev/full"], "unpacking")
    assert "unpacking failed: no space is left on a disk" in str(told.value)
    assert "cat: write error: No space left on device" in str(told.value)
    monkeypatch.setattr(steps, "FULL", 2**60)
    with pytest.raises(Problem, match=f"no space is left on the disk of .*{tmp_path}"):
        run(["false"], "unpacking")


def test_a_command_reads_what_it_is_given(tmp_path: Path) -> None:
    run([sys.executable, "-c", "print(input())"], "a reader", given="words")
    log = tmp_path / steps.paths.NAME / "logs" / "a-reader.log"
    assert log.read_text() == "words\n"


def test_a_lock_of_another_account_is_waited_for(tmp_path: Path) -> None:
    """Its file can be read, and not written, in /tmp."""
    lock = tmp_path / "a.lock"
    lock.touch(mode=0o444)
    holder = f"import fcntl, time; f = open({str(lock)!r}); fcntl.flock(f, 2); print(1, flush=True)"
    words = [sys.executable, "-c", f"{holder}; time.sleep(60)"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        threading.Timer(0.5, process.kill).start()
        with steps.lock("a", tmp_path):
            assert process.wait(10)  # killed: it had the lock until then
    assert lock.stat().st_mode & 0o777 == 0o444


def test_a_lock_can_be_read_by_all(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with steps.lock("b", tmp_path):
            assert (tmp_path / "b.lock").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)
