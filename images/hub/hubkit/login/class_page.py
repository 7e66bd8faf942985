"""The class page, `/hub/class`: the teacher sees who is in the class, and changes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from jupyterhub.handlers import BaseHandler
from jupyterhub.scopes import needs_scope
from tornado import web

CHANGED = "(changed by the user)"
_TEMPLATES = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True)
class Row:
    """Somebody of the class."""

    name: str
    password: str  # the first one, or CHANGED, or nothing where the user chose it
    last_seen: str
    status: str

    def document(self) -> dict[str, str]:
        """As JSON has it."""
        return {
            "name": self.name,
            "first_password": self.password,
            "last_seen": self.last_seen,
        }


def sheet(title: str, url: str, rows: list[Row]) -> str:
    """A page to print and cut: a strip for each name."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True)
    page = environment.get_template("sheet.html")
    return page.render(title=title, url=url, rows=rows, changed=CHANGED)


class ClassPage(BaseHandler):
    """The list, with a button for whatever the login kind can do."""

    @needs_scope("admin:users")  # type: ignore[misc]
    async def get(self) -> None:
        """Shows the class."""
        await self._show()

    @needs_scope("admin:users")  # type: ignore[misc]
    async def post(self) -> None:
        """Does what a button says. JupyterHub has checked that the form is its own."""
        action = self.get_body_argument("action")
        if action not in self.authenticator.page_can:
            raise web.HTTPError(400, f"There is no {action!r} here.")
        do = getattr(self.authenticator, f"{action}_name")
        for name in self.get_body_argument("name").replace(",", " ").split():
            do(self.authenticator.normalize_username(name))
        self.redirect(self.hub.base_url + "class")

    async def _show(self) -> None:
        authenticator = self.authenticator
        html = await self.render_template(
            "class.html",
            rows=authenticator.page_rows(),
            can=authenticator.page_can,
            admins=authenticator.admin_users,
        )
        self.finish(html)


class SheetPage(BaseHandler):
    """The same names, to print."""

    @needs_scope("admin:users")  # type: ignore[misc]
    async def get(self) -> None:
        """Shows the sheet."""
        title = self.settings["template_vars"]["hub_title"]
        url = f"{self.request.protocol}://{self.request.host}{self.settings['base_url']}"
        self.finish(sheet(title, url, self.authenticator.page_rows()))


def handlers() -> list[tuple[str, Any]]:
    """Handlers of both pages, below /hub."""
    return [(r"/class", ClassPage), (r"/class/sheet", SheetPage)]
