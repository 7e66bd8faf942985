"""Names that can't break out, and the second lock on the proxy's rules."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import re
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
import toml
from hubkit import names, spelling
from hubkit.proxy import SafeTraefikProxy, UnsafeRoute, require_own, rule_for
from hubkit.settings import Settings
from hubkit.spawner import HubSpawner
from jupyterhub.auth import DummyAuthenticator
from pydantic import ValidationError
from tornado import web

from components.jupyterhub_host.files import FilesArgs
from components.jupyterhub_host.login import _USER_NAME
from tests.unit.test_settings_document import document

BACKTICK = "anna`"
USUAL = ["anna", "a", "0", "anna.rossi@unipd.it", "x-y_z+1", "a" * 63]
UNUSUAL = ["", "Anna", "a/b", "-a", ".a", "a b", "a\n", "anna\n", "ä", "a" * 64, BACKTICK, "a(b)"]


@pytest.mark.parametrize("name", USUAL)
def test_allowed(name: str) -> None:
    assert names.is_allowed(name)
    names.require_of_server(name)


@pytest.mark.parametrize("name", UNUSUAL)
def test_refused(name: str) -> None:
    assert not names.is_allowed(name)
    if name:
        with pytest.raises(web.HTTPError):
            names.require_of_server(name)


@pytest.mark.parametrize("name", UNUSUAL)
def test_jupyterhub_itself_refuses_it(name: str) -> None:
    """It asks the pattern about the beginning only."""
    assert not DummyAuthenticator(username_pattern=names.USERNAME_PATTERN).validate_username(name)


def test_components_and_hub_have_one_rule() -> None:
    assert _USER_NAME.pattern == names.USERNAME_PATTERN
    metadata = FilesArgs.model_fields["groups"].annotation.__args__[0].__metadata__  # type: ignore[union-attr]
    assert metadata[0].pattern == f"^{names.GROUP.pattern.removesuffix(chr(92) + 'Z')}$"


@pytest.mark.parametrize("group", ["Muons", "a b", "muons\n", "muons`", "-a", ""])
def test_no_group_has_another_name(group: str) -> None:
    with pytest.raises(ValidationError):
        FilesArgs.model_validate({"groups": {group: {}}})
    told: Any = document("local.happy.minimal.yaml")
    told["files"]["groups"] = {group: {"members": [], "together": False, "image": None} | SIZE}
    with pytest.raises(ValidationError, match="not a name"):
        Settings.model_validate(told)


SIZE = {"size": None}


def test_no_hub_has_another_name() -> None:
    told: Any = document("local.happy.minimal.yaml")
    with pytest.raises(ValidationError, match="not a name"):
        Settings.model_validate(told | {"deployment": "x\n"})


def test_no_two_names_share_a_folder() -> None:
    tricky = ["a-b", "a.b", "a-2eb", "a@b", "a_b", "a+b", "ab", "a-2d2eb"]
    assert len({names.escaped(name) for name in tricky}) == len(tricky)


# Named servers

CONTAINER = "jupyterhub-test-user-anna--lab"


def server(name: str, others: dict[str, Any] | None = None) -> Any:
    """A spawner that would say so if it started anything."""
    told = Settings.model_validate(document("local.happy.minimal.yaml"))
    user = SimpleNamespace(name="anna", id=1, url="/user/anna", server=None, spawners=others or {})
    return HubSpawner(
        user=user,
        orm_spawner=SimpleNamespace(name=name, server=None, oauth_client=None),
        settings=told,
        engine=told.engine,
        _mock=True,
    )


@pytest.mark.parametrize("name", ["Lab", "my server", "lab`", "lab\n"])
def test_a_server_of_such_a_name_does_not_start(name: str) -> None:
    with pytest.raises(web.HTTPError, match="A server can't have this name"):
        asyncio.new_event_loop().run_until_complete(server(name).start())


def test_names_of_servers_that_may_start_have_containers_of_their_own() -> None:
    found = ["", "lab", "lab-2", "lab.2", "lab2", "lab+2", "lab_2", "lab@2", "l-ab"]
    assert len({server(name)._object_name_default() for name in found}) == len(found)


def test_a_running_server_of_an_earlier_release_keeps_its_container() -> None:
    """`Lab` and `lab` would have the same."""
    lab, old = server("lab"), server("Lab")
    assert lab._object_name_default() == old._object_name_default() == CONTAINER
    lab.user.spawners["Lab"] = SimpleNamespace(
        name="Lab", active=True, object_name=old._object_name_default()
    )
    with pytest.raises(web.HTTPError, match="stop it first"):
        asyncio.new_event_loop().run_until_complete(lab.start())


# What is written into Traefik's rules


@pytest.mark.parametrize(
    ("route", "rule"),
    [
        ("/", "(PathPrefix(`/`))"),
        ("/user/anna/", "(PathPrefix(`/user/anna/`) || Path(`/user/anna`))"),
        ("/user/a%2Bb@c/", "(PathPrefix(`/user/a%2Bb@c/`) || Path(`/user/a%2Bb@c`))"),
        (
            "anna.hub.example/user/anna/lab/",
            "Host(`anna.hub.example`) && (PathPrefix(`/user/anna/lab/`) || Path(`/user/anna/lab`))",
        ),
        ("hub.example/", "Host(`hub.example`) && (PathPrefix(`/`))"),
    ],
)
def test_usual_routes(route: str, rule: str) -> None:
    assert rule_for(route) == rule
    require_own(rule, {"routespec": route, "data": {}})


@pytest.mark.parametrize("name", ["-a", ".a", "a b", "a\n", "ä", "a" * 64, BACKTICK, "a(b)", ".."])
@pytest.mark.parametrize("safe", ["@~", "`() \n"])
def test_no_rule_is_made_of_another_name(name: str, safe: str) -> None:
    """JupyterHub hands it over escaped; what counts is what it says."""
    with pytest.raises(UnsafeRoute):
        rule_for(f"/user/{quote(name, safe=safe)}/")


@pytest.mark.parametrize("host", ["hub`", "a b.example", "hub.example\n", "hub.example:80", "-"])
def test_no_rule_is_made_of_another_host(host: str) -> None:
    with pytest.raises(UnsafeRoute):
        rule_for(f"{host}/user/anna/")


@pytest.mark.parametrize(
    "rule",
    [
        "PathPrefix(`/user/anna/`)",  # without brackets, which ours have
        "(PathPrefix(`/user/ben/`))",
        "(PathPrefix(`/user/anna/`) || PathPrefix(`/user/ben/`))",
        "(PathPrefix(`/user/anna/`)) || (PathPrefix(`/user/anna/`))",
        "(Path(`/user/anna`))",
        "Host(`hub.example`) && (PathPrefix(`/user/anna/`))",
        "(PathPrefix(`/user/anna/`))\n",
        "",
    ],
)
def test_no_rule_but_the_route_s_own_passes(rule: str) -> None:
    with pytest.raises(UnsafeRoute):
        require_own(rule, {"routespec": "/user/anna/", "data": {}})


@pytest.mark.parametrize(
    ("route", "data", "is_own"),
    [
        ("/user/anna/", {"user": "anna", "server_name": ""}, True),
        ("/class/user/anna/lab/", {"user": "anna", "server_name": "lab"}, True),
        ("/user/a%2Bb/", {"user": "a+b", "server_name": ""}, True),
        ("/user/ben/", {"user": "anna", "server_name": ""}, False),
        ("/user/anna/", {"user": "anna", "server_name": "lab"}, False),
        ("/", {"user": "anna", "server_name": ""}, False),
        ("/user/a%2Fb/", {"user": "b", "server_name": ""}, False),
        ("/user/a%2Fb/", {"user": "a/b", "server_name": ""}, False),
        ("/services/x/", {"service": "x"}, True),
        ("/user/x/", {"service": "x"}, False),
        ("/", {"hub": True}, True),
    ],
)
def test_a_route_is_its_user_s(route: str, data: dict[str, Any], is_own: bool) -> None:
    told = {"routespec": route, "data": data}
    if is_own:
        require_own(rule_for(route), told)
    else:
        with pytest.raises(UnsafeRoute):
            require_own(rule_for(route), told)


def proxy(file: Path) -> Any:
    made: Any = SafeTraefikProxy.__new__(SafeTraefikProxy, should_start=True)
    SafeTraefikProxy.__init__(made, should_start=True, traefik_entrypoint="web")
    made.dynamic_config_file = str(file)
    return made


def test_what_is_in_the_file_is_well_formed(tmp_path: Path) -> None:
    """Of an earlier release, too: its rules get today's form, and what has none is left out."""
    earlier = tmp_path / "rules.toml"
    routes = {
        "router_anna": {"routespec": "/user/anna/", "data": {"user": "anna", "server_name": ""}},
        "router_plus": {"routespec": "/user/a%2Bb/", "data": {"user": "a+b", "server_name": ""}},
        "router_odd": {"routespec": "/user/a%60/", "data": {"user": "a`", "server_name": ""}},
    }
    routers = {alias: {"rule": "old", "service": "s", "entryPoints": ["web"]} for alias in routes}
    routers["router_alone"] = routers["router_anna"]  # of no route
    earlier.write_text(toml.dumps({"http": {"routers": routers}, "jupyterhub": {"routes": routes}}))
    made = proxy(tmp_path / "rules.yaml")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(made._setup_traefik_dynamic_config())
    traefik, hub = made._dynamic_config_for_route(
        "/user/ben/", "http://10.0.0.2:8888", {"user": "ben", "server_name": ""}
    )
    loop.run_until_complete(made._apply_dynamic_config(traefik, hub))
    loop.close()
    assert not earlier.exists()  # Traefik would have all of it twice
    written = json.loads((tmp_path / "rules.yaml").read_text())["http"]["routers"]
    assert {key: each["rule"] for key, each in written.items() if key != "route_api"} == {
        "router_anna": "(PathPrefix(`/user/anna/`) || Path(`/user/anna`))",
        "router_plus": "(PathPrefix(`/user/a%2Bb/`) || Path(`/user/a%2Bb`))",
        "router__2Fuser_2Fben_2F": "(PathPrefix(`/user/ben/`) || Path(`/user/ben`))",
    }


def test_one_bad_name_leaves_the_routes_of_others_alone(tmp_path: Path) -> None:
    made = proxy(tmp_path / "rules.yaml")
    spawner = SimpleNamespace(
        proxy_spec="/user/anna/my%20server/",
        server=SimpleNamespace(host="http://10.0.0.2:8888"),
        pending=None,
    )
    user: Any = SimpleNamespace(name="anna", spawners={"my server": spawner})
    loop = asyncio.new_event_loop()
    loop.run_until_complete(made.add_user(user, "my server"))
    spawner.pending = "spawn"  # whoever starts it is told
    with pytest.raises(UnsafeRoute):
        loop.run_until_complete(made.add_user(user, "my server"))
    loop.close()


# The file that Traefik reads


def told(file: Path, *people: str) -> None:
    """Routes of people who start at once, as a hub writes them."""

    async def all_at_once() -> None:
        made = proxy(file)
        data = [{"user": name, "server_name": ""} for name in people]
        routes = [
            made._dynamic_config_for_route(f"/user/{d['user']}/", f"http://{d['user']}:8888", d)
            for d in data
        ]
        await asyncio.gather(*(made._apply_dynamic_config(*route) for route in routes))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(all_at_once())
    loop.close()


def known(file: Path) -> dict[str, str]:
    """Where a hub that starts finds people's servers."""
    loop = asyncio.new_event_loop()
    found = loop.run_until_complete(proxy(file).get_all_routes())
    loop.close()
    return {route["data"]["user"]: route["target"] for route in found.values()}


def test_the_file_is_not_written_on_the_hub_s_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To replace a file is to wait for the disk."""
    replace, threads = os.replace, []

    def replaced(*paths: Any) -> None:
        threads.append(threading.current_thread().name.split("_")[0])
        replace(*paths)

    monkeypatch.setattr(os, "replace", replaced)
    told(tmp_path / "hub.yaml", "anna")
    assert set(threads) == {"state"}


def test_a_hub_that_starts_knows_its_routes(tmp_path: Path) -> None:
    told(tmp_path / "hub.yaml", "anna", "ben")
    assert known(tmp_path / "hub.yaml") == {"anna": "http://anna:8888", "ben": "http://ben:8888"}


def test_traefik_s_folder_changes_once_for_all_who_start(tmp_path: Path) -> None:
    """Traefik reads all of it again, whatever changes: the more, the later a route counts."""
    told(tmp_path / "hub.yaml", "anna")
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(watch, bytes(tmp_path), 0xFFF)  # whatever happens
    told(tmp_path / "hub.yaml", "ben", "carla", "dan")
    heard = os.read(watch, 10_000)
    os.close(watch)
    changed = [name for name, kind in events(heard) if kind & CHANGED]
    assert changed == ["hub.yaml"] * len(changed)
    assert 1 <= len(changed) <= 2  # the first, and those that came meanwhile
    assert "jupyterhub" not in json.loads((tmp_path / "hub.yaml").read_text())
    assert not list((tmp_path / "hub").glob("*.y*ml"))  # Traefik reads folders inside, too


CHANGED = 0x002 | 0x040 | 0x080 | 0x100 | 0x200  # written, moved, made, deleted (linux/inotify.h)
_EVENT = struct.Struct("iIII")


def events(heard: bytes) -> Iterator[tuple[str, int]]:
    at = 0
    while at < len(heard):
        _, kind, _, length = _EVENT.unpack_from(heard, at)
        at += _EVENT.size + length
        yield heard[at - length : at].rstrip(b"\0").decode(), kind


@pytest.mark.parametrize("torn", ["routes.json", "hub.yaml"])
def test_a_hub_that_was_killed_between_the_two_makes_up_for_it(tmp_path: Path, torn: str) -> None:
    """What it has not told Traefik, or told otherwise, it doesn't take for told."""
    file, routes = tmp_path / "hub.yaml", tmp_path / "hub" / "routes.json"
    told(file, "anna")
    older = {file: file.read_text(), routes: routes.read_text()}
    told(file, "ben")
    kept = next(path for path in older if path.name == torn)
    kept.write_text(older[kept])
    assert known(file) == {"anna": "http://anna:8888"}
    (tmp_path / "hub.yaml").write_text("")
    assert known(file) == {}


# Addresses by another spelling


def routed(path: str) -> str:
    """The path as Traefik compares it with rules: reserved signs stay escaped, as they came."""
    return re.sub("%[0-9A-F]{2}", lambda m: m[0] if m[0] in ("%2B", "%40") else "?", path)


@pytest.mark.parametrize("name", ["a+b", "anna@x.it", "a+b@x.it"])
def test_a_user_is_reached_by_either_spelling(name: str) -> None:
    """As JupyterHub spells it the proxy knows it; otherwise the hub sends the browser there."""
    own = quote(name, safe="@~")
    assert f"PathPrefix(`{routed(f'/user/{own}/')}`)" in rule_for(f"/user/{own}/")
    for spelled in (name, quote(name, safe="")):
        found = spelling.respelled(f"/hub/user/{spelled}/lab?a=%2B+", "/hub/")
        assert found == f"/hub/user/{own}/lab?a=%2B+"


def test_other_addresses_stay_as_they_are() -> None:
    for uri in (
        "/hub/user/a%20b/",
        "/hub/home?user/a+b",
        "/hub/user/anna/lab/tree/a+b",
        "/user/a+b",
    ):
        assert spelling.respelled(uri, "/hub/") == uri
