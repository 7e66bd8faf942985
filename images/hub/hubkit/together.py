"""A server that a group has in common: it belongs to an account of the group's own.

Members get a role for it when they open it, and are written down first. Whoever is written down and
is no member any more loses the role, and the server is stopped: nothing less ends open connections,
answers that the server remembers for minutes, and programs that somebody left running in it.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from jupyterhub import orm, roles
from jupyterhub.app import JupyterHub
from jupyterhub.handlers import BaseHandler
from jupyterhub.utils import url_path_join
from tornado import web

from . import kept, names
from .login import leaving
from .settings import Settings

VISITORS = "together.json"
EVERY = 3.0  # seconds between looks at who is a member


def role_of(group: str) -> str:
    """The role that opens and starts the group's server."""
    return f"group-{group}-server"


class Together:
    """The common servers, and who may be in them.

    Args:
        state: where it is written down who has been let in, so that a member who is taken away
            while the hub is replaced isn't missed.
    """

    watching: asyncio.Future[None]

    def __init__(self, settings: Settings, state: Path) -> None:
        self._groups = {n: g for n, g in settings.files.groups.items() if g.together}
        self._file = state / VISITORS
        self._changing = asyncio.Lock()
        self._asked: dict[str, float] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Together:
        """JupyterHub copies its configuration; there is one watch, and one lock."""
        return self

    def roles(self) -> list[dict[str, Any]]:
        """A role for each server; who has it is in the hub's database."""
        return [
            {
                "name": role_of(group),
                "description": f"Work together in the group {group}",
                "scopes": [
                    f"access:servers!user={names.account(group)}",
                    f"servers!user={names.account(group)}",
                ],
            }
            for group in self._groups
        ]

    def offered(self, user: Any) -> list[str]:
        """Groups whose server somebody may open, for the menu."""
        return [group for group in self._groups if self._is_member(user, group)]

    async def let_in(self, hub: JupyterHub, user: Any, group: str) -> None:
        """Gives a member the role. Anybody else gets an answer."""
        if not self._is_member(user, group):
            raise web.HTTPError(
                403, f"You are not in a group {group} that works together. Ask your teacher."
            )
        async with self._changing:
            visitors = self._visitors()
            visitors[group] = sorted({*visitors.get(group, []), user.name})
            kept.replace(self._file, visitors)  # first, so that a kill in between misses nobody
            self._make_account(hub, group)
            roles.grant_role(hub.db, user.orm_user, role_of(group))

    def _make_account(self, hub: JupyterHub, group: str) -> None:
        if orm.User.find(hub.db, names.account(group)) is None:
            account = orm.User(name=names.account(group))
            hub.db.add(account)
            roles.assign_default_roles(hub.db, account)
            hub.db.commit()

    def _is_member(self, user: Any, group: str) -> bool:
        """By the stack file, or by the login's provider or the admin page."""
        known = self._groups.get(group)
        return known is not None and user is not None and known.has(user.orm_user)

    # Who isn't a member any more

    async def watch(self, hub: JupyterHub) -> None:
        """Looks for ever, from the hub's start on."""
        await hub._start_future
        # JupyterHub asks whoever opens somebody else's server whether that is meant. It is.
        hub.tornado_settings["oauth_no_confirm_list"] |= {
            f"jupyterhub-user-{names.account(group)}" for group in self._groups
        }
        while True:
            for group in {*self._groups, *self._visitors()}:
                try:
                    await self._look(hub, group)
                except Exception:
                    hub.log.exception("Group %s: not looked at; trying again", group)
            await asyncio.sleep(EVERY)

    async def _look(self, hub: JupyterHub, group: str) -> None:
        role = orm.Role.find(hub.db, role_of(group))
        holders = {user.name for user in role.users} if role else set()
        visitors = {*self._visitors().get(group, []), *holders}
        gone = [name for name in visitors if not await self._is_still_in(hub, name, group)]
        if gone:
            async with self._changing:
                await self._shut_out(hub, group, gone)

    async def _is_still_in(self, hub: JupyterHub, name: str, group: str) -> bool:
        user = hub.users.get(name)
        if user is None or not self._is_member(user, group):
            return False
        # The login may know better: off the roster, out of the provider's group.
        return await self._may_log_in(hub, user, group) and self._is_member(user, group)

    async def _may_log_in(self, hub: JupyterHub, user: Any, group: str) -> bool:
        """What the login says now. A provider is asked while there is something to end, and as
        often as for any page of the hub."""
        login = hub.authenticator
        if login.manage_groups:
            account = hub.users.get(names.account(group))
            asked = self._asked.get(user.name)
            due = asked is None or time.monotonic() - asked >= login.auth_refresh_age
            if account is None or not account.active or not due:
                return True
            self._asked[user.name] = time.monotonic()
        told = await login.refresh_user(user)
        if isinstance(told, dict):
            user.sync_groups(told["groups"])
            await user.save_auth_state(told["auth_state"])
        return bool(told)

    async def _shut_out(self, hub: JupyterHub, group: str, gone: list[str]) -> None:
        for name in gone:
            if user := hub.users.get(name):
                roles.strip_role(hub.db, user.orm_user, role_of(group))
        if await self._stop(hub, group):
            visitors = self._visitors()
            left = sorted({*visitors.get(group, [])} - {*gone})
            others = {each: found for each, found in visitors.items() if each != group}
            kept.replace(self._file, others | ({group: left} if left else {}))
            hub.log.warning("Group %s: %s left; its server is stopped", group, ", ".join(gone))

    async def _stop(self, hub: JupyterHub, group: str) -> bool:
        """Whether none of the members gone can be in the server any more."""
        account = hub.users.get(names.account(group))
        return account is None or not account.active or await leaving.stop(hub, account, "")

    def _visitors(self) -> dict[str, list[str]]:
        return dict(kept.read(self._file, {}))


class TogetherPage(BaseHandler):
    """`/hub/together/<group>`: lets a member in, and opens the server; starts it if need be."""

    def initialize(self, together: Together) -> None:
        """The servers."""
        super().initialize()
        self._together = together

    @web.authenticated
    async def get(self, group: str) -> None:
        """Goes on to JupyterHub's own page, which knows how to wait."""
        await self._together.let_in(self.app, self.current_user, group)
        self.redirect(url_path_join(self.hub.base_url, "spawn", names.account(group)))


def configure(c: Any, settings: Settings, state: Path) -> None:
    """Adds roles, the page and its entry in the menu; watches the members of the hub that runs."""
    together = Together(settings, state)
    c.JupyterHub.load_roles += together.roles()
    c.JupyterHub.extra_handlers += [
        (r"/together/([a-z0-9-]+)", TogetherPage, {"together": together})
    ]
    c.JupyterHub.template_vars |= {"work_together": together.offered}
    if JupyterHub.initialized():
        together.watching = asyncio.ensure_future(together.watch(JupyterHub.instance()))
