"""A real hub on this machine, with its real services, roles and pages (a_hub.py says which).

Listeners stand where users' servers are (ear.py), and nothing is in front of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hubkit
import requests

from tests.unit.hubkit.test_kubernetes import SECRETS
from tests.unit.test_settings_document import document

TOKEN = "the-token-of-this-test-" + "0" * 20
ROOT = Path(__file__).parents[3]
CONFIG = Path(__file__).with_name("a_hub.py")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def settings(**changes: Any) -> dict[str, Any]:
    """Of the smallest stack file, on no platform."""
    told: Any = document("local.happy.minimal.yaml", on_docker=False)
    for section, change in changes.items():
        told[section] = told[section] | change if isinstance(change, dict) else change
    return dict(told)


def wait_for(is_so: Callable[[], bool], seconds: float = 60, log: Path | None = None) -> None:
    """Until something is so; or what the log says."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, log.read_text()[-4000:] if log else "it is not so"
        time.sleep(0.1)


_SERVICE = b"-m\0hubkit."


class Hub:
    """The hub's process, and what a client does with it. Its folder outlives it."""

    def __init__(self, folder: Path, told: dict[str, Any]) -> None:
        self.folder, self.state, self.homes = folder, folder / "state", folder / "homes"
        for each in (self.state, self.homes):
            each.mkdir(exist_ok=True)
        self.database = f"sqlite:///{self.state}/jupyterhub.sqlite"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.api = f"{self.url}/hub/api"
        (folder / "heard").touch()
        (folder / "test").write_text(str(os.getpid()))
        self.tell(told)

    def tell(self, told: dict[str, Any], secrets: dict[str, str] = SECRETS) -> None:
        """What it is to do from its next start on."""
        documents = {
            "settings": told,
            "secrets": secrets,
            "token": TOKEN,
            "hub": self.url,
            "public": f"http://127.0.0.1:{free_port()}",
            "database": self.database,
        }
        (self.folder / "told.json").write_text(json.dumps(documents))

    def start(self) -> None:
        ours = f"{Path(hubkit.__file__).parents[1]}:{ROOT}"  # of this checkout
        own = {"TEST_FOLDER": str(self.folder), "PYTHONPATH": ours}
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)],
                cwd=self.folder,
                env={**os.environ, **own},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # with its services
            )
        self.wait_for(lambda: self._process.poll() is not None or self._is_up())
        assert self._process.poll() is None, self.log()

    def kill(self) -> None:
        """As power or the kernel ends it, with its services."""
        hub = self._process.pid
        children = Path(f"/proc/{hub}/task/{hub}/children").read_text().split()
        services = [int(c) for c in children if _SERVICE in Path(f"/proc/{c}/cmdline").read_bytes()]
        for each in (hub, *services):  # each has a session of its own, as users' servers have
            with contextlib.suppress(ProcessLookupError):
                os.killpg(each, signal.SIGKILL)
        self._process.wait(20)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def _is_up(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return self.ask("GET", "/").ok
        return False

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        wait_for(is_so, log=self.folder / "log")

    def log(self) -> str:
        """The end of what the hub said."""
        return (self.folder / "log").read_text()[-4000:]

    def ask(self, method: str, path: str, token: str = TOKEN, **how: Any) -> requests.Response:
        headers = {"Authorization": f"token {token}"}
        return requests.request(method, f"{self.api}{path}", headers=headers, timeout=10, **how)

    def start_server(self, name: str, server: str = "") -> None:
        self.ask("POST", f"/users/{name}")
        path = f"/users/{name}/servers/{server}" if server else f"/users/{name}/server"
        answer = self.ask("POST", path)
        assert answer.ok or "already running" in answer.text, answer.text

    def running(self) -> set[str]:
        """Servers that run, as `user` or `user/name`."""
        known = self.ask("GET", "/users?state=ready").json()
        return {
            f"{user['name']}/{server}".rstrip("/")
            for user in known
            for server, told in user["servers"].items()
            if told["ready"]
        }

    def servers(self) -> set[str]:
        """All that aren't stopped."""
        known = self.ask("GET", "/users").json()
        return {f"{user['name']}/{each}".rstrip("/") for user in known for each in user["servers"]}

    def ear(self, name: str, server: str = "") -> dict[str, Any]:
        """A server's process and its environment."""
        return dict(json.loads((self.folder / f"ear {name} {server}").read_text()))

    def token(self, name: str, server: str = "") -> str:
        """What a server's owner finds in its environment."""
        return str(self.ear(name, server)["environment"]["JUPYTERHUB_API_TOKEN"])

    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "heard").read_text().splitlines()]

    def opens(self, word: str) -> list[str]:
        """What the hub lets somebody do who has this."""
        with contextlib.suppress(requests.RequestException, ValueError):  # no header can have it
            answer = self.ask("GET", "/user", word)
            return list(answer.json()["scopes"]) if answer.ok else []
        return []

    def browser(self, name: str) -> Browser:
        """Somebody who logged in."""
        made = Browser(self)
        kind = "admin" if name == "teacher" else "class"
        made.log_in(name, SECRETS[f"{kind}_password"])
        return made


class Browser(requests.Session):
    """A browser at the hub's pages."""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub

    def log_in(self, name: str, password: str) -> None:
        self.get(f"{self._hub.url}/hub/login")
        form = {"username": name, "password": password, "_xsrf": self.cookies["_xsrf"]}
        answer = self.post(f"{self._hub.url}/hub/login", data=form, allow_redirects=False)
        assert answer.status_code == 302, answer.text

    def ask(self, method: str, path: str, **how: Any) -> requests.Response:
        """The hub's API, as a page of the hub asks it."""
        self.get(f"{self._hub.url}/hub/home")
        headers = {"X-XSRFToken": self.cookies.get("_xsrf", path="/hub/") or ""}
        headers["Referer"] = f"{self._hub.url}/hub/admin"
        return self.request(method, f"{self._hub.api}{path}", headers=headers, **how)

    def visit(self, owner: str, server: str = "") -> dict[str, str]:
        """Goes to somebody's server, which asks the hub who that is; what the server gets to see:
        the code that the browser brings, and the token that the hub gives for it."""
        own = self._hub.ear(owner, server)["environment"]
        client = own["JUPYTERHUB_CLIENT_ID"]
        callback = own["JUPYTERHUB_OAUTH_CALLBACK_URL"]
        asked = {"client_id": client, "redirect_uri": callback, "response_type": "code"}
        page = f"{self._hub.api}/oauth2/authorize"
        answer = self.get(page, params=asked, allow_redirects=False)
        if answer.status_code == 200:  # the hub asks whether that is meant
            form = {"scopes": re.findall(r'name="scopes"[^>]*value="([^"]*)"', answer.text)}
            form["_xsrf"] = [self.cookies.get("_xsrf", path="/hub/") or ""]
            headers = {"Referer": answer.url}
            answer = self.post(answer.url, data=form, headers=headers, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        code = answer.headers["Location"].partition("code=")[2].partition("&")[0]
        brings = {"client_id": client, "client_secret": own["JUPYTERHUB_API_TOKEN"], "code": code}
        brings |= {"grant_type": "authorization_code", "redirect_uri": callback}
        given = requests.post(f"{self._hub.api}/oauth2/token", data=brings, timeout=10)
        assert given.ok, given.text
        return {"code": code, "token": str(given.json()["access_token"])}


@contextlib.contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """A hub that runs, and whose servers end with it."""
    try:
        hub.start()
        yield hub
    finally:
        hub.kill()
        (hub.folder / "heard").unlink()
