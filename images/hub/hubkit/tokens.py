"""The tokens of a server are its own, and end with it, however it ends.

JupyterHub deletes the one that it remembers: none after its own restart, nor where stopping failed.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from jupyterhub import orm
from jupyterhub.app import JupyterHub
from sqlalchemy import inspect
from sqlalchemy.orm import Session

_NOTE = "Server at "  # JupyterHub's, on the token that a server is given
_NOTED = re.compile(rf"{_NOTE}/(.*/)?user/[^/]+/([^/]+/)?\Z")
_SERVICES_NOTE = "generated at startup"
_CLIENTS = "jupyterhub-user-"  # browsers' tokens are of the server's client

_init_spawners = JupyterHub.init_spawners


class OwnTokens:
    """Mixin of spawners."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.name:  # type: ignore[attr-defined]
            self.oauth_client_id = self._own_client()

    def _own_client(self) -> str:
        """By JupyterHub's, anna's server `lab` and the server of anna-lab would be one client.

        A server that an earlier release has started keeps what it knows.
        """
        if known := self.orm_spawner.oauth_client:  # type: ignore[attr-defined]
            return str(known.identifier)
        user, name = self.user.name, self.name  # type: ignore[attr-defined]
        return f"{_CLIENTS}{quote(user)}~{quote(name)}"  # no name has a `~`

    def clear_state(self) -> None:
        """After every end of a server, whatever failed at it, and before a start."""
        account = self.orm_spawner.user  # type: ignore[attr-defined]
        forget(inspect(account).session, account.id)
        super().clear_state()  # type: ignore[misc]


def forget(db: Session, user: int | None = None) -> int:
    """Deletes the tokens of servers that aren't there, one user's or everybody's; how many."""
    servers = db.query(orm.Spawner).filter(orm.Spawner.server_id.is_not(None))
    there = {(each.user_id, f"{_NOTE}{each.server.base_url}") for each in servers}
    tokens = db.query(orm.APIToken).filter(orm.APIToken.note.startswith(_NOTE))
    clients = db.query(orm.OAuthClient).filter(orm.OAuthClient.identifier.startswith(_CLIENTS))
    if user is not None:
        tokens = tokens.filter_by(user_id=user)
        clients = clients.join(orm.OAuthClient.spawner).filter(orm.Spawner.user_id == user)
    gone = [
        *(each for each in tokens if _NOTED.match(each.note) and _whose(each) not in there),
        *(each for each in clients if each.spawner is None or each.spawner.server_id is None),
    ]
    for each in gone:
        db.delete(each)
    db.commit()
    return len(gone)


def _whose(token: orm.APIToken) -> tuple[int, str]:
    return token.user_id, token.note


def forget_services(db: Session, now: set[str]) -> int:
    """Deletes the tokens that services had of earlier hubs: JupyterHub makes new ones only."""
    kept = {found.id for found in (orm.APIToken.find(db, each) for each in now) if found}
    made = db.query(orm.APIToken).filter_by(note=_SERVICES_NOTE)
    gone = [each for each in made if each.id not in kept]
    for each in gone:
        db.delete(each)
    db.commit()
    return len(gone)


def end_with_servers() -> None:
    """Before the hub answers anybody: tokens of servers that ended while no hub ran.

    The database still has a server that nobody has looked at; its end comes like any other.
    """

    async def init_spawners(hub: JupyterHub) -> Any:
        services = {each.api_token for each in hub._service_map.values() if each.api_token}
        if count := forget(hub.db) + forget_services(hub.db, services):
            hub.log.info("Deleted %d tokens of servers and services that are gone", count)
        return await _init_spawners(hub)

    JupyterHub.init_spawners = init_spawners
