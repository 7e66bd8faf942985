"""What the hub and its services send to users' servers, which their owners can read.

A real hub with its real services and roles goes through a round of culling; listeners stand where
users' servers would be. Whatever they hear is tried on the hub: no word of it may open anything
but the server that heard it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hubkit import on_docker
from hubkit.settings import Secrets, Settings
from jupyterhub import orm, roles
from traitlets.config import Config

from tests.unit.hubkit.test_kubernetes import SECRETS
from tests.unit.test_settings_document import document

TOKEN = "the-token-of-this-test-" + "0" * 20
ROOT = Path(__file__).parents[3]
TIMEOUT = 4


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def settings() -> dict[str, Any]:
    told: Any = document("local.happy.minimal.yaml", on_docker=False)
    told["culling"] |= {"enabled": True, "timeout": TIMEOUT, "every": 1, "max_age": 0}
    return dict(told)


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


class Hub:
    def __init__(self, port: int, heard: Path, old: str) -> None:
        self.api, self._heard, self.old = f"http://127.0.0.1:{port}/hub/api", heard, old

    def ask(self, method: str, path: str, token: str = TOKEN) -> requests.Response:
        headers = {"Authorization": f"token {token}"}
        return requests.request(method, f"{self.api}{path}", headers=headers, timeout=10)

    def running(self) -> set[str]:
        return {user["name"] for user in self.ask("GET", "/users?state=ready").json()}

    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._heard.read_text().splitlines()]

    def opens(self, word: str) -> list[str]:
        """What the hub lets somebody do who has this."""
        with contextlib.suppress(requests.RequestException, ValueError):  # no header can have it
            answer = self.ask("GET", "/user", word)
            return list(answer.json()["scopes"]) if answer.ok else []
        return []


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    port, heard = free_port(), folder / "heard"
    heard.touch()
    database = f"sqlite:///{folder}/hub.sqlite"
    old = old_token(database)
    told = {
        "settings": settings(),
        "secrets": SECRETS,
        "token": TOKEN,
        "hub": f"http://127.0.0.1:{port}",
        "public": f"http://127.0.0.1:{free_port()}",
        "database": database,
    }
    own = {"TEST_SETTINGS": json.dumps(told), "TEST_HEARD": str(heard), "PYTHONPATH": str(ROOT)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(ROOT / CONFIG)],
            cwd=folder,
            env={**os.environ, **own},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        made = Hub(port, heard, old)
        wait_for(lambda: is_up(made), folder / "log")
        yield made
    finally:
        process.terminate()
        process.wait(20)


CONFIG = "tests/unit/hubkit/a_hub.py"


def is_up(hub: Hub) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return hub.ask("GET", "/").ok
    return False


def wait_for(is_so: Any, log: Path | None = None, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, log.read_text()[-4000:] if log else "it is not so"
        time.sleep(0.2)


def words(heard: dict[str, Any]) -> set[str]:
    """Everything in a request that might be a token."""
    texts = [heard["path"], heard["body"], *(text for pair in heard["headers"] for text in pair)]
    return {word for text in texts for word in re.split(r"[\s&?=;,/\"']+", text) if word}


def test_who_owns_a_server_hears_nothing_that_opens_more(hub: Hub) -> None:
    for name in ("anna", "ben"):
        assert hub.ask("POST", f"/users/{name}").ok
        assert hub.ask("POST", f"/users/{name}/server").ok
    wait_for(lambda: hub.running() == {"anna", "ben"})
    begun = time.monotonic()
    wait_for(lambda: hub.running() == {"ben"})  # silence is idleness; a server's own word isn't
    while time.monotonic() < begun + 2.5 * TIMEOUT:
        assert hub.running() == {"ben"}
        time.sleep(0.5)
    assert {each["user"] for each in hub.heard()} == {"anna", "ben"}  # the hub looked at the start
    for heard in hub.heard():
        own = f"!server={heard['user']}/"
        for word in words(heard):
            assert all(scope.endswith(own) for scope in hub.opens(word)), heard["path"]
    assert hub.opens(TOKEN)  # or nothing would have been found


def test_the_token_of_earlier_releases_opens_nothing_any_more(hub: Hub) -> None:
    assert hub.ask("GET", "/user", hub.old).status_code == 403


def test_the_hub_sends_a_browser_to_the_address_that_the_server_knows(hub: Hub) -> None:
    """Whichever spelling it asks by: `+` and `@`, or their escapes."""
    name, own = "eve+1@x.it", "eve%2B1@x.it"
    assert hub.ask("POST", f"/users/{own}").ok
    assert hub.ask("POST", f"/users/{own}/server").ok
    wait_for(lambda: name in hub.running())
    token = hub.ask("POST", f"/users/{own}/tokens").json()["token"]
    base = hub.api.removesuffix("/api")
    for spelled in (name, own, "eve%2B1%40x.it"):
        answer = requests.get(
            f"{base}/user/{spelled}/lab?a=1",
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
