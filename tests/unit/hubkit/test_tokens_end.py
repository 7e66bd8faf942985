"""What a server was given opens nothing once the server has ended, however it ended.

A real hub is killed and started again; some servers end meanwhile, others later, and some go on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hubkit.tokens import OwnTokens
from jupyterhub import orm

from tests.unit.hubkit.hubs import Hub, running, settings

AWAY, CRASHED, STUCK, STOPPED, ON = "away", "crashed", "stuck", "stopped", "on"
NAMED = "named"  # has two servers, and one of them is stopped
LIKE_IT = "named-lab"  # by JupyterHub's name for both, this one
GO_ON = {ON, NAMED, LIKE_IT}


class Told:
    """What each server was given, and what a browser that was there brought."""

    left: str  # in the database by an earlier release
    noted: str  # a user's own

    def __init__(self, hub: Hub) -> None:
        self.own: dict[str, str] = {}
        self.brought: dict[str, str] = {}
        for user in (AWAY, CRASHED, STUCK, STOPPED, ON, LIKE_IT):
            hub.start_server(user)
        for server in ("", "lab"):
            hub.start_server(NAMED, server)
        wanted = {AWAY, CRASHED, STUCK, STOPPED, ON, LIKE_IT, NAMED, f"{NAMED}/lab"}
        hub.wait_for(lambda: hub.running() == wanted)
        for each in wanted:
            self.own[each] = hub.token(*each.split("/"))
            self.brought[each] = hub.browser(each.split("/")[0]).visit(*each.split("/"))["token"]
        for token in (*self.own.values(), *self.brought.values()):
            assert hub.opens(token)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    made = Hub(tmp_path_factory.mktemp("hub"), settings(named_servers=2))
    with running(made):
        yield made


@pytest.fixture(scope="module")
def told(hub: Hub) -> Told:
    """After a hub that was killed: one server ended meanwhile, others end now."""
    made = Told(hub)
    hub.kill()
    end(hub, AWAY)
    made.left = leftover(hub, f"Server at /user/{ON}/lab/")
    made.noted = leftover(hub, "Server at home")
    hub.start()
    hub.wait_for(lambda: AWAY not in hub.servers())
    end(hub, CRASHED)
    for path in (f"{STOPPED}/server", f"{STUCK}/server", f"{NAMED}/servers/lab"):
        hub.ask("DELETE", f"/users/{path}")
    hub.wait_for(lambda: hub.servers() == GO_ON)
    return made


def end(hub: Hub, user: str) -> None:
    """As the kernel ends a server that takes too much memory."""
    os.kill(hub.ear(user)["pid"], signal.SIGKILL)


def leftover(hub: Hub, note: str) -> str:
    """A token of a user, in the database of a hub that doesn't run."""
    db = orm.new_session_factory(hub.database)()
    try:
        return str(orm.User.find(db, ON).new_api_token(note=note))
    finally:
        db.close()


@pytest.mark.parametrize("server", [AWAY, CRASHED, STUCK, STOPPED, f"{NAMED}/lab"])
def test_it_opens_nothing_any_more(hub: Hub, told: Told, server: str) -> None:
    assert hub.opens(told.own[server]) == []
    assert hub.opens(told.brought[server]) == []


@pytest.mark.parametrize("server", sorted(GO_ON))
def test_a_server_that_goes_on_keeps_its_own(hub: Hub, told: Told, server: str) -> None:
    assert hub.opens(told.own[server])
    assert hub.opens(told.brought[server])


def test_what_earlier_releases_left_is_gone_from_the_start_on(hub: Hub, told: Told) -> None:
    assert hub.opens(told.left) == []
    assert hub.opens(told.noted)  # a user's own, whatever its note


def test_nothing_of_it_is_left_in_the_database(hub: Hub, told: Told) -> None:
    db = orm.new_session_factory(hub.database)()
    notes = {t.note for t in db.query(orm.APIToken) if t.note.startswith("Server at /")}
    clients = {c.identifier for c in db.query(orm.OAuthClient)}
    services = [t.service.name for t in db.query(orm.APIToken) if t.note == "generated at startup"]
    db.close()
    assert services == ["idle-culler"]  # of this hub, and none of the one that was killed
    assert notes == {f"Server at /user/{name}/" for name in GO_ON}
    assert {c for c in clients if "user" in c} == {f"jupyterhub-user-{n}" for n in GO_ON}


def test_a_server_that_an_earlier_release_started_keeps_its_client() -> None:
    """Or its users' browsers would be sent away at the hub's change."""

    class Stock:
        def __init__(self, client: str | None) -> None:
            self.name, self.user = "lab", SimpleNamespace(name="anna")
            known = client and SimpleNamespace(identifier=client)
            self.orm_spawner = SimpleNamespace(oauth_client=known)

    class Server(OwnTokens, Stock): ...

    assert Server("jupyterhub-user-anna-lab").oauth_client_id == "jupyterhub-user-anna-lab"
    assert Server(None).oauth_client_id == "jupyterhub-user-anna~lab"
