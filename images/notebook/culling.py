"""Says in JupyterLab that the hub is about to stop this server, and what counts as using it.

A page that is merely open asks for its lists every ten seconds, which Jupyter takes for activity: a
server whose page nobody touches would never be idle. Here a question doesn't count, nor that the
page keeps its layout; a key, a click or a scroll does, and what kernels and terminals do, as ever.

Work without any output is use, too: a busy kernel, a program in a terminal, and whatever computes.
The server itself looks for it, and JupyterHub's part of the server tells the hub, with the server's
own token: nobody has to ask from outside, and no token has to come in.

The page's side is labextension/static/remoteEntry.js: it shows what this says, and no more.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.ioloop import PeriodicCallback

_WARNING = 300  # seconds before the end
_SELDOM = 60  # seconds between two questions of the page, or two looks for work, at most
_SHARE = 0.05  # of a core: a program that takes more computes. An open page or desktop takes less.
_TICKS = os.sysconf("SC_CLK_TCK")  # the kernel's unit of processor time, in a second
# In a terminal's foreground without being anybody's work.
_SHELLS = {"ash", "bash", "csh", "dash", "fish", "ksh", "screen", "sh", "tcsh", "tmux", "zsh"}


def warning(limit: float) -> float:
    """How long before the end of a limit it is said (seconds)."""
    return min(_WARNING, limit / 2)


def in_words(seconds: float) -> str:
    """How much time is left, as people say it."""
    if seconds < 1:
        return "any moment now"
    if seconds < 100:
        return f"in {round(seconds)} seconds"
    return f"in {math.ceil(seconds / 60)} minutes"


class Limits:
    """When the hub stops servers (seconds; 0: never), as it says in their environment."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.timeout = float(environment.get("CULLING_TIMEOUT") or 0)
        self.max_age = float(environment.get("CULLING_MAX_AGE") or 0)
        self._stops_busy = environment.get("CULLING_BUSY") == "true"

    @property
    def counts_work(self) -> bool:
        """Whether a server that is at work is kept, though nobody uses its page."""
        return self.timeout > 0 and not self._stops_busy

    @property
    def often(self) -> float:
        """Seconds between two looks for work: the hub has to hear of it well before the end."""
        return max(1, min(_SELDOM, self.timeout / 5))

    def answer(self, idle: float, age: float, busy: bool) -> dict[str, Any]:
        """What the page is to show, whether a click helps, and when it is to ask again."""
        ends = []
        if self.max_age:
            ends.append((self.max_age - age, warning(self.max_age), False))
        if self.timeout and (self._stops_busy or not busy):
            ends.append((self.timeout - idle, warning(self.timeout), True))
        if not ends:
            return {"message": None, "extends": False, "again": self._again(math.inf)}
        left, early, extends = min(ends)
        message = self._message(left, extends) if left <= early else None
        return {
            "message": message,
            "extends": extends,
            "again": self._again(left / 4 if message else left - early),
        }

    def _again(self, seconds: float) -> float | None:
        if not (self.timeout or self.max_age):
            return None
        return max(1, min(_SELDOM, seconds))

    def _message(self, left: float, extends: bool) -> str:
        if extends:
            return (
                f"Nobody is using your server: it is stopped {in_words(left)}. "
                "Your files are kept, the variables of your notebooks are not."
            )
        return (
            f"Your server is stopped {in_words(left)}: it has run as long as servers may. Save "
            "your work, then start it again from the hub's page; this can't be put off."
        )


class Program(NamedTuple):
    """A program of this container, as far as it shows whether somebody works."""

    key: tuple[int, int]  # its id, and when it began: ids are used again
    name: str
    in_front: bool  # of a terminal, where the shell waits for its end
    seconds: float  # of a processor, with what its own programs that have ended took


def programs(proc: Path = Path("/proc")) -> Iterator[Program]:
    """What runs in this container."""
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
            yield _program(int(folder.name), (folder / "stat").read_text(errors="replace"))


def _program(pid: int, stat: str) -> Program:
    """By the kernel's line about it (`man proc_pid_stat`); a name may have spaces and brackets."""
    head, _, tail = stat.rpartition(")")
    rest = tail.split()
    group, session, in_front = int(rest[2]), int(rest[3]), int(rest[5])
    return Program(
        key=(pid, int(rest[19])),
        name=head.partition("(")[2],
        in_front=group == in_front != session,
        seconds=sum(map(int, rest[11:15])) / _TICKS,
    )


class Work:
    """What goes on in this server, though nobody may touch its page."""

    goes_on = False  # at the last look

    def __init__(self, app: Any, proc: Path = Path("/proc")) -> None:
        self._app, self._proc = app, proc
        self._taken: dict[tuple[int, int], float] = {}
        self._looked = monotonic()

    def start(self, often: float) -> None:
        """Looks until the server ends. A look that fails is logged, and the next one comes."""
        self._looks = PeriodicCallback(self.look, often * 1000)
        self._looks.start()

    def look(self) -> None:
        """Notes work where Jupyter looks for activity, and so JupyterHub's report to the hub."""
        computes = self._programs_work()  # before anything else: it compares with the last look
        self.goes_on = computes or has_busy_kernel(self._app)
        if self.goes_on:
            self._app.web_app.settings["work_last_activity"] = datetime.now(UTC)

    def _programs_work(self) -> bool:
        now, before = monotonic(), self._taken
        least = _SHARE * (now - self._looked)
        found = [each for each in programs(self._proc) if each.key[0] != os.getpid()]
        self._taken, self._looked = {each.key: each.seconds for each in found}, now
        return any(
            (each.in_front and each.name not in _SHELLS)
            or each.seconds - before.get(each.key, each.seconds) > least
            for each in found
        )


def has_busy_kernel(app: Any) -> bool:
    """Whether a cell runs; one that waits for an answer does, too."""
    kernels = app.kernel_manager.list_kernels()
    return any(kernel.get("execution_state") == "busy" for kernel in kernels)


class CullingHandler(APIHandler):
    """`GET`: what the page is to show. `POST`: somebody is here."""

    _track_activity = False

    def initialize(self, limits: Limits, app: Any, work: Work) -> None:
        """Gets what the server's extension knows."""
        self._limits, self._app, self._work = limits, app, work

    @web.authenticated
    def get(self) -> None:
        """Answers the page."""
        self.finish(self._limits.answer(self._idle(), self._age(), self._is_busy()))

    @web.authenticated
    async def post(self) -> None:
        """Notes that the server is used, and tells the hub where it must know at once."""
        is_late = 0 < self._limits.timeout / 2 < self._idle()
        self.settings["page_last_activity"] = datetime.now(UTC)  # Jupyter looks for such names
        if is_late:
            for hub in self._app.extension_manager.extension_apps["jupyterhub-singleuser"]:
                await hub.notify_activity()  # by itself it tells every few minutes only
        self.get()

    def _idle(self) -> float:
        return _since(self._app.web_app.last_activity())

    def _age(self) -> float:
        return _since(self.settings["started"])

    def _is_busy(self) -> bool:
        return self._work.goes_on or has_busy_kernel(self._app)


def _since(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def _only_use_counts() -> None:
    """Takes what a page does by itself from what Jupyter takes for activity."""
    count = APIHandler.update_api_activity

    def update_api_activity(self: APIHandler) -> None:
        keeps_its_layout = "/lab/api/" in self.request.path
        if self.request.method != "GET" and not keeps_its_layout:
            count(self)

    APIHandler.update_api_activity = update_api_activity


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "culling"}]


def _load_jupyter_server_extension(app: Any) -> None:
    limits = Limits(dict(os.environ))
    if limits.timeout:
        _only_use_counts()
    work = Work(app)
    if limits.counts_work:
        app.io_loop.add_callback(work.start, limits.often)
    url = f"{app.web_app.settings['base_url']}api/culling"
    told = {"limits": limits, "app": app, "work": work}
    app.web_app.add_handlers(".*$", [(url, CullingHandler, told)])
