"""Says what is done and how far it is; runs commands quietly and shows them when they fail."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from . import network, paths

TRIES, PAUSE = 3, 5  # of what broke off, with seconds between them
FULL = 16 * 2**20  # bytes that are left when a disk counts as full
HEARTBEAT = 15  # seconds between two signs of life of a long command


class Problem(Exception):
    """Something the user can mend. Its text says what and how."""


class Stopped(Problem):
    """Ended because what ran beside it failed: nothing a person has to read."""


class Failed(Problem):
    """A command that failed, with all that it printed."""

    def __init__(self, text: str, printed: str) -> None:
        super().__init__(text)
        self.printed = printed


class NotReached(Failed):
    """A command that failed for the network's sake: nothing else would do better."""


class _Screen:
    """Where lines go. On a terminal the last one is alive: what is being done, and since when."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._running: dict[str, float] = {}
        self._log: dict[str, Path] = {}

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        with self._lock:
            self._clear()
            print(text, flush=True)

    @contextlib.contextmanager
    def shows(self, what: str, log: Path) -> Iterator[None]:
        """Counts a command among those that run."""
        with self._lock:
            self._running[what], self._log[what] = time.monotonic(), log
        try:
            yield
        finally:
            with self._lock:
                del self._running[what], self._log[what]
                self._clear()

    def tick(self) -> None:
        """Draws the living line anew."""
        if not sys.stdout.isatty():
            return
        with self._lock:
            now = time.monotonic()
            parts = [
                f"{what} {now - begun:.0f} s{_stage(self._log[what])}"
                for what, begun in self._running.items()
            ]
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K  … {' | '.join(parts)}"[: width + 4], end="", flush=True)

    def _clear(self) -> None:
        if sys.stdout.isatty():
            print("\r\x1b[K", end="")


_screen = _Screen()


class Step:
    """A line of progress: what, and how it went."""

    def __init__(self, title: str, counted: bool) -> None:
        self._title = title
        self._counted = counted
        self._begun = time.monotonic()
        self.result = "done"

    def note(self, text: str) -> None:
        """A line below the step, for what takes longer."""
        _screen.say(f"      {text}")

    def close(self) -> None:
        """Prints the line."""
        seconds = time.monotonic() - self._begun
        took = f" ({seconds:.0f} s)" if seconds >= 1 else ""
        number = _plan.next() if self._counted else ""
        _screen.say(f"  {number}✓ {self._title}: {self.result}{took}")


class _Plan:
    """How many steps a command has, and how many are over: those side by side end in any order."""

    total = 0
    over = 0

    def next(self) -> str:
        """`[2/7] `, or nothing for a command that doesn't count."""
        self.over += 1
        return f"[{self.over}/{self.total}] " if self.over <= self.total else ""


_plan = _Plan()


def expect(total: int) -> None:
    """Says how many counted steps the command has."""
    _plan.total, _plan.over = total, 0


def heading(title: str) -> None:
    """The line of a step that prints lines of its own."""
    _screen.say(f"  {_plan.next()}{title}")


@contextlib.contextmanager
def step(title: str, counted: bool = True) -> Iterator[Step]:
    """A step of a command; its line is printed when it is over.

    Steps that are seldom needed don't count.
    """
    current = Step(title, counted)
    yield current
    current.close()


_stopping = threading.Event()


def side_by_side(*jobs: Callable[[], object]) -> None:
    """Runs what doesn't depend on each other; all faults in one report, the others are ended."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        running = [pool.submit(job) for job in jobs]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:  # of a failure, or of Ctrl-C here
            if not all(each.done() and not each.exception() for each in running):
                _stopping.set()
    if threading.current_thread() is threading.main_thread():  # not one inside of another
        _stopping.clear()
    faults = [fault for each in running if (fault := each.exception())]
    told = [fault for fault in faults if not isinstance(fault, Stopped)]
    if len(told) > 1 and all(isinstance(fault, Problem) for fault in told):
        raise Problem("\n\n✗ ".join(map(str, told)))
    if faults:
        raise (told or faults)[0]


def run(
    command: Sequence[str | Path],
    what: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    given: str = "",
    source: network.Source | None = None,
) -> None:
    """Runs a long command into a log file, with a sign of life; its last lines if it fails.

    `source`: what it fetches from. It is tried again when that breaks off, and named.
    """
    for attempt in range(TRIES):
        try:
            _run(command, what, cwd, env, given)
            return
        except Failed as failed:
            trouble = network.trouble(failed.printed) if source else None
            if source is None or trouble is None:
                raise
            if not trouble.passing or attempt == TRIES - 1:
                raise NotReached(
                    network.explained(what, source, trouble.reason), failed.printed
                ) from None
        _screen.say(f"      {what} broke off, and is tried again: {trouble.reason}")
        if _stopping.wait(PAUSE):
            raise Stopped(f"{what} was ended.")


def _run(
    command: Sequence[str | Path],
    what: str,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    given: str,
) -> None:
    name = re.sub(r"[^\w.-]+", "-", what)
    log = paths.cache() / "logs" / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as out, tempfile.TemporaryFile("w+") as told, _screen.shows(what, log):
        told.write(given)
        told.seek(0)
        words = [str(word) for word in command]
        process = subprocess.Popen(
            words, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT, stdin=told
        )
        try:
            _wait(process, what, log)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        printed = log.read_text(errors="replace")
        if full := no_space(printed):
            raise Problem(f"{what} failed: {full}")
        tail = "\n".join(printed.splitlines()[-12:])
        text = f"{what} failed. The last lines, the rest is in {log}:\n{tail}"
        raise Failed(text, printed)


def no_space(printed: str = "") -> str | None:
    """Which disk is full, by what is left or by what a command said, and what to do."""
    places = (paths.cache(), paths.ROOT, Path(tempfile.gettempdir()))
    full = {str(place) for place in places if shutil.disk_usage(place).free < FULL}
    said = re.findall(r"^.*(?:no space left on device|quota exceeded).*$", printed, re.M | re.I)
    if not (full or said):
        return None
    if full:
        where = f"on the disk of {' and of '.join(sorted(full))}."
    else:
        where = f"on a disk: {said[-1].strip()}."
    return f"no space is left {where} Make room, then run the same again: it goes on from here."


def _wait(process: subprocess.Popen[bytes], what: str, log: Path) -> None:
    begun = said = time.monotonic()
    while True:
        try:
            process.wait(1)
            return
        except subprocess.TimeoutExpired:
            pass
        if _stopping.is_set():
            raise Stopped(f"{what} was ended.")
        _screen.tick()
        if not sys.stdout.isatty() and time.monotonic() - said >= HEARTBEAT:
            said = time.monotonic()
            _screen.say(f"      … {what}, {said - begun:.0f} s{_stage(log)}")


def _stage(log: Path) -> str:
    """The last line that a command printed: what it is at."""
    lines = log.read_text(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {last[:70]}" if last else ""


@contextlib.contextmanager
def lock(name: str, folder: Path | None = None) -> Iterator[None]:
    """Lets one process at a time build a thing; the others wait and find it there.

    In a folder of all accounts, such as /tmp, for what is the machine's.
    """
    path = (folder or paths.cache()) / f"{name}.lock"
    with contextlib.suppress(FileExistsError):
        path.touch(exist_ok=False)
        path.chmod(0o644)
    with path.open() as file:  # to read: it may be another account's
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _screen.say(f"      waiting: somebody else is at {name}")
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
    with lock("apt"):
        # A source that is down matters only if it has the package.
        with contextlib.suppress(Problem):
            run(["apt-get", "update"], "apt-get update", env=env)
        waits = ("-o", "DPkg::Lock::Timeout=300")  # for the machine's own updates
        command = ["apt-get", "install", "-y", *waits, "--no-install-recommends", *packages]
        run(command, f"apt-get install {names}", env=env, source=network.DEBIAN)


def ask(question: str) -> str:
    """An answer from a person; none without a terminal."""
    return input(question) if sys.stdin.isatty() else ""
