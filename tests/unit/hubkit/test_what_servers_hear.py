"""What the hub and its services send to users' servers, which their owners can read.

A real hub with its real services and roles goes through a round of culling; listeners stand where
users' servers would be. Whatever they hear is tried on the hub: no word of it may open anything
but the server that heard it.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hubkit import on_docker
from hubkit.settings import Secrets, Settings
from jupyterhub import orm, roles
from traitlets.config import Config

from tests.unit.hubkit.hubs import TOKEN, Hub, running, settings
from tests.unit.hubkit.test_kubernetes import SECRETS
from tests.unit.test_settings_document import document

TIMEOUT = 6
ACCOUNT = "_muons"
MUONS = {
    "members": ["anna", "ben"],
    "hub_groups": [],
    "together": True,
    "image": None,
    "size": None,
}


def old_token(database: str) -> str:
    """A token as the service of earlier releases had it, in a database of such a hub."""
    db = orm.new_session_factory(database)()
    for role in roles.get_default_roles():
        roles.create_role(db, role)
    scopes = ["list:users", "access:servers"]
    roles.create_role(db, {"name": "busy-kernels", "scopes": scopes})
    service = orm.Service(name="busy-kernels", from_config=True)
    db.add_all([service, orm.OAuthClient(identifier="jupyterhub")])
    db.commit()
    roles.grant_role(db, service, "busy-kernels")
    return str(service.new_api_token(note="generated at startup"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    folder = tmp_path_factory.mktemp("hub")
    culling = {"enabled": True, "timeout": TIMEOUT, "every": 1, "max_age": 0}
    files = {"collect": "handed-in", "groups": {"muons": MUONS}}
    (folder / "homes" / "anna" / "handed-in").mkdir(parents=True)
    (folder / "homes" / "anna" / "handed-in" / "sheet").write_text("42")
    return Hub(folder, settings(culling=culling, files=files))


@pytest.fixture(scope="module")
def old(made: Hub) -> str:
    return old_token(made.database)


@pytest.fixture(scope="module")
def hub(made: Hub, old: str) -> Iterator[Hub]:
    with running(made):
        yield made


def words(heard: dict[str, Any]) -> set[str]:
    """Everything in a request that might be a token."""
    texts = [heard["path"], heard["body"], *(text for pair in heard["headers"] for text in pair)]
    return {word for text in texts for word in re.split(r"[\s&?=;,/\"']+", text) if word}


def opens_more(hub: Hub, heard: dict[str, Any]) -> list[str]:
    """What the words of a request let somebody do but to open the server that heard it."""
    own = f"!server={heard['user']}/"
    found = [scope for word in words(heard) for scope in hub.opens(word)]
    return [scope for scope in found if not scope.endswith(own)]


def test_who_owns_a_server_hears_nothing_that_opens_more(hub: Hub) -> None:
    for name in ("anna", "ben"):
        hub.start_server(name)
    hub.wait_for(lambda: hub.running() == {"anna", "ben"})
    begun = time.monotonic()
    # Silence is idleness; a server's own word isn't.
    hub.wait_for(lambda: hub.running() == {"ben"})
    while time.monotonic() < begun + 2.5 * TIMEOUT:
        assert hub.running() == {"ben"}
        time.sleep(0.5)
    assert {each["user"] for each in hub.heard()} == {"anna", "ben"}  # the hub looked at the start
    for heard in hub.heard():
        assert not opens_more(hub, heard), heard["path"]
    assert hub.opens(TOKEN)  # or nothing would have been found


def test_nor_does_one_in_a_groups_common_server(hub: Hub) -> None:
    """Neither from the hub, nor from a member who comes and goes."""
    anna = hub.browser("anna")
    anna.get(f"{hub.url}/hub/together/muons")
    hub.wait_for(lambda: ACCOUNT in hub.running())
    brought = anna.visit(ACCOUNT)
    assert set(hub.opens(brought["token"])) == {
        f"access:servers!server={ACCOUNT}/",
        "read:users:name!user=anna",
        "read:users:groups!user=anna",
    }
    hub.wait_for(lambda: ACCOUNT not in hub.servers())  # nobody is at work there
    assert any(each["user"] == ACCOUNT for each in hub.heard())
    for heard in hub.heard():
        assert not opens_more(hub, heard), heard["path"]
    assert not hub.opens(brought["token"])


def test_nobody_hears_of_what_is_collected_or_moved(hub: Hub) -> None:
    hub.start_server("ben")
    hub.wait_for(lambda: "ben" in hub.running())
    before = len(hub.heard())
    teacher = hub.browser("teacher")
    handed_in = zipfile.ZipFile(io.BytesIO(teacher.get(f"{hub.url}/hub/collect").content))
    assert handed_in.namelist() == ["anna/sheet"]
    moved = json.loads(graduation(hub, "export"))
    assert {"anna", "ben", "teacher"} <= set(moved["users"])
    assert json.loads(graduation(hub, "folders"))["anna"] == "anna"
    assert b"42" in graduation(hub, "pack", "anna")
    assert hub.heard()[before:] == []


def graduation(hub: Hub, *command: str) -> bytes:
    """As `make graduate` runs it beside the hub."""
    for name, told in json.loads((hub.folder / "told.json").read_text()).items():
        (hub.folder / f"{name}.json").write_text(json.dumps(told))
    program = (
        "import sys; from pathlib import Path; from hubkit import graduation, settings;"
        "graduation.STATE = Path('state'); settings.SETTINGS = Path('settings.json');"
        "settings.SECRETS = Path('secrets.json'); graduation.main()"
    )
    words = [sys.executable, "-c", program, "--homes", "homes", *command]
    return subprocess.run(words, cwd=hub.folder, capture_output=True, check=True).stdout


def test_the_token_of_earlier_releases_opens_nothing_any_more(hub: Hub, old: str) -> None:
    assert hub.ask("GET", "/user", old).status_code == 403


def test_the_hub_sends_a_browser_to_the_address_that_the_server_knows(hub: Hub) -> None:
    """Whichever spelling it asks by: `+` and `@`, or their escapes."""
    name, own = "eve+1@x.it", "eve%2B1@x.it"
    hub.start_server(own)
    hub.wait_for(lambda: name in hub.running())
    token = hub.ask("POST", f"/users/{own}/tokens").json()["token"]
    for spelled in (name, own, "eve%2B1%40x.it"):
        answer = requests.get(
            f"{hub.url}/hub/user/{spelled}/lab?a=1",
            headers={"Authorization": f"token {token}"},
            allow_redirects=False,
            timeout=10,
        )
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(f"/user/{own}/lab?a=1")


@pytest.mark.parametrize("busy", [False, True])
def test_no_service_may_open_servers_or_be_somebody(busy: bool) -> None:
    told: Any = document("local.happy.full.yaml")
    told["culling"] |= {"enabled": True, "cull_busy": busy}
    c = Config()
    secrets = Secrets.model_validate(SECRETS | {"roster_key": "ef" * 32})
    on_docker.configure(c, Settings.model_validate(told), secrets)
    of_services = [role for role in c.JupyterHub.load_roles if role.get("services")]
    assert of_services
    for role in of_services:
        assert set(role["scopes"]) <= {
            "list:users",
            "read:users:activity",
            "read:servers",
            "delete:servers",
        }
