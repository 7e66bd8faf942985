"""Says what is done and how far it is; runs commands quietly and shows them when they fail."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from . import paths

HEARTBEAT = 15  # seconds between two signs of life of a long command


class Problem(Exception):
    """Something the user can mend. Its text says what and how."""


class Step:
    """A line of progress: what, and how it went."""

    def __init__(self, title: str, number: str) -> None:
        self._title = title
        self._number = number
        self._begun = time.monotonic()
        self.result = "done"

    def note(self, text: str) -> None:
        """A line below the step, for what takes longer."""
        print(f"      {text}", flush=True)

    def close(self) -> None:
        """Prints the line."""
        seconds = time.monotonic() - self._begun
        took = f" ({seconds:.0f} s)" if seconds >= 1 else ""
        print(f"  {self._number}✓ {self._title}: {self.result}{took}", flush=True)


class _Plan:
    """How many steps a command has, and how many were begun."""

    total = 0
    begun = 0

    def next(self) -> str:
        """`[2/7] `, or nothing for a command that doesn't count."""
        self.begun += 1
        return f"[{self.begun}/{self.total}] " if self.begun <= self.total else ""


_plan = _Plan()


def expect(total: int) -> None:
    """Says how many counted steps the command has."""
    _plan.total, _plan.begun = total, 0


def heading(title: str) -> None:
    """The line of a step that prints lines of its own."""
    print(f"  {_plan.next()}{title}", flush=True)


@contextlib.contextmanager
def step(title: str, counted: bool = True) -> Iterator[Step]:
    """A step of a command; its line is printed when it is over.

    Steps that are seldom needed don't count.
    """
    current = Step(title, _plan.next() if counted else "")
    yield current
    current.close()


def run(
    command: Sequence[str | Path],
    what: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Runs a long command into a log file, with a sign of life; its last lines if it fails."""
    log = paths.cache() / "logs" / f"{what.replace(' ', '-')}.log"
    log.parent.mkdir(exist_ok=True)
    begun = time.monotonic()
    with log.open("wb") as out:
        words = [str(word) for word in command]
        process = subprocess.Popen(
            words, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            while True:
                try:
                    process.wait(HEARTBEAT)
                    break
                except subprocess.TimeoutExpired:
                    seconds = time.monotonic() - begun
                    print(f"      … {what}, {seconds:.0f} s{_stage(log)}", flush=True)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        raise Problem(f"{what} failed. The last lines, the rest is in {log}:\n{tail}")


def _stage(log: Path) -> str:
    """The last line that a command printed: what it is at."""
    lines = log.read_text(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {last[:70]}" if last else ""


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Lets one process at a time build a thing; the others wait and find it there."""
    with (paths.cache() / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"      waiting: another process is at {name}", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_root() -> bool:
    """Whether packages can be installed."""
    return os.geteuid() == 0


def apt_install(*packages: str) -> None:
    """Installs Debian packages, or names the one command for who may."""
    names = " ".join(packages)
    if not is_root():
        raise Problem(
            f"These packages are needed: {names}. Install them as root, then run make again:\n"
            f"  sudo apt-get update && sudo apt-get install -y {names}"
        )
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with contextlib.suppress(Problem):  # a source that is down matters only if it has the package
        run(["apt-get", "update"], "apt-get update", env=env)
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    run(command, f"apt-get install {names}", env=env)


def ask(question: str) -> str:
    """An answer from a person; none without a terminal."""
    return input(question) if sys.stdin.isatty() else ""
