"""Says in JupyterLab that the hub is about to stop this server, and what counts as using it.

A page that is merely open asks for its lists every ten seconds, which Jupyter takes for activity: a
server whose page nobody touches would never be idle. Here a question doesn't count, nor that the
page keeps its layout; a key, a click or a scroll does, and what kernels and terminals do, as ever.

The page's side is labextension/static/remoteEntry.js: it shows what this says, and no more.
"""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

_WARNING = 300  # seconds before the end
_SELDOM = 60  # seconds between two questions of the page, at most


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


class CullingHandler(APIHandler):
    """`GET`: what the page is to show. `POST`: somebody is here."""

    _track_activity = False

    def initialize(self, limits: Limits, app: Any) -> None:
        """Gets what the server's extension knows."""
        self._limits, self._app = limits, app

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
        kernels = self._app.kernel_manager.list_kernels()
        return any(kernel["execution_state"] == "busy" for kernel in kernels)


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
    url = f"{app.web_app.settings['base_url']}api/culling"
    app.web_app.add_handlers(".*$", [(url, CullingHandler, {"limits": limits, "app": app})])
