"""A user at a browser, without the browser: logs in, starts a server, runs code."""

from __future__ import annotations

import json
import ssl
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import requests
import websocket

T = TypeVar("T")
NOT_RUNNING = 424  # the hub's page "your server is not running"


def eventually(what: str, look: Callable[[], T], within: float = 60) -> T:
    """What `look` returns once that is true; fails with `what` after the deadline (seconds)."""
    deadline = time.monotonic() + within
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = look()
            if last:
                return last  # type: ignore[return-value]
        except (requests.RequestException, AssertionError, websocket.WebSocketException) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"not within {within} s: {what}; last seen: {last!r}")


class Kernel:
    """A kernel over its websocket."""

    def __init__(self, user: User, name: str = "python3") -> None:
        made = user.post("api/kernels", {"name": name})
        assert made.status_code == 201, made.text
        self.path = f"api/kernels/{made.json()['id']}"
        cookie = "; ".join(f"{c.name}={c.value}" for c in user.session.cookies)
        self.socket = websocket.create_connection(
            user.at(f"{self.path}/channels").replace("http", "ws", 1),
            cookie=cookie,
            timeout=120,
            sslopt={} if user.session.verify else {"cert_reqs": ssl.CERT_NONE},
        )

    def send(self, code: str) -> str:
        """Starts a cell; returns the message's id."""
        message = uuid.uuid4().hex
        header = {
            "msg_id": message,
            "msg_type": "execute_request",
            "username": "",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "allow_stdin": False}
        self.socket.send(
            json.dumps(
                {
                    "channel": "shell",
                    "header": header | {"session": message, "date": ""},
                    "parent_header": {},
                    "metadata": {},
                    "content": content,
                }
            )
        )
        return message

    def wait(self, message: str) -> str:
        """What the cell printed, errors included."""
        printed, missing = "", {"execute_reply", "idle"}
        while missing:  # the two come by different channels, in any order
            answer = json.loads(self.socket.recv())
            if answer["parent_header"].get("msg_id") != message:
                continue
            kind, content = answer["msg_type"], answer["content"]
            if kind == "stream":
                printed += content["text"]
            elif kind == "error":
                printed += f"{content['ename']}: {content['evalue']}"
            missing -= {content["execution_state"] if kind == "status" else kind}
        return printed.strip()

    def run(self, code: str) -> str:
        """Runs a cell to its end."""
        return self.wait(self.send(code))

    def __enter__(self) -> Kernel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.socket.close()


class User:
    """Somebody who has the login page open."""

    def __init__(self, url: str, name: str, verify: bool = True) -> None:
        self.url = url
        self.name = name
        self.session = requests.Session()
        if not verify:
            # The session's own flag loses against REQUESTS_CA_BUNDLE in the environment.
            self.session.trust_env = False
            self.session.verify = False

    def login(self, password: str) -> requests.Response:
        """Sends the login form; 302 when it is accepted."""
        self.session.get(f"{self.url}/hub/login")
        form = {"username": self.name, "password": password, "_xsrf": self._xsrf("/hub/")}
        return self.session.post(f"{self.url}/hub/login", data=form, allow_redirects=False)

    def _xsrf(self, path: str) -> str:
        return next(
            (c.value or "" for c in self.session.cookies if (c.name, c.path) == ("_xsrf", path)), ""
        )

    @property
    def base(self) -> str:
        return f"/user/{quote(self.name, safe='@~')}/"

    def at(self, path: str) -> str:
        return f"{self.url}{self.base}{path}"

    def start(
        self, image: str | None = None, within: float = 240, chosen_as: str = "image"
    ) -> float:
        """Starts the server as the spawn page does and opens it; returns the seconds it took.

        In a cluster what is chosen is a `profile`.
        """
        begun = time.monotonic()
        self.ask_for_server(image, chosen_as)

        def opened() -> bool:
            page = self.session.get(self.at("lab"))
            if page.status_code == NOT_RUNNING:  # one that died before, which the hub noticed now
                self.ask_for_server(image, chosen_as)
            return self._is_lab(page)

        eventually(f"the server of {self.name}", opened, within)
        return time.monotonic() - begun

    def ask_for_server(self, image: str | None, chosen_as: str = "image") -> None:
        """Sends the spawn page's form."""
        self.session.get(f"{self.url}/hub/spawn")
        if image is not None:
            form = {chosen_as: image, "_xsrf": self._xsrf("/hub/")}
            answer = self.session.post(f"{self.url}/hub/spawn", data=form)
            assert answer.status_code == 200, answer.text

    def is_open(self) -> bool:
        """Whether the server answers this user; logs in there by the hub's OAuth on the way."""
        return self._is_lab(self.session.get(self.at("lab")))

    def _is_lab(self, page: requests.Response) -> bool:
        return page.status_code == 200 and page.url.startswith(f"{self.url}{self.base}")

    def stop(self) -> None:
        """Stops the server and waits until it is gone."""
        api = f"{self.url}/hub/api/users/{quote(self.name, safe='@')}/server"
        headers = {"X-XSRFToken": self._xsrf("/hub/"), "Referer": f"{self.url}/hub/home"}
        answer = self.session.delete(api, headers=headers)
        assert answer.status_code in (202, 204), answer.text
        eventually("the server is gone", lambda: self._server_count() == 0)

    def _server_count(self) -> int:
        found = self.session.get(
            f"{self.url}/hub/api/users/{quote(self.name, safe='@')}",
            headers={"Referer": f"{self.url}/hub/home"},
        )
        return len(found.json()["servers"])

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.session.get(self.at(path), **more)

    def post(self, path: str, json: Any = None) -> requests.Response:
        headers = {"X-XSRFToken": self._xsrf(self.base)}
        return self.session.post(self.at(path), json=json or {}, headers=headers)

    def put(self, path: str, json: Any) -> requests.Response:
        headers = {"X-XSRFToken": self._xsrf(self.base)}
        return self.session.put(self.at(path), json=json, headers=headers)

    def delete(self, path: str) -> requests.Response:
        return self.session.delete(self.at(path), headers={"X-XSRFToken": self._xsrf(self.base)})

    def kernel(self, name: str = "python3") -> Kernel:
        return Kernel(self, name)

    def run(self, code: str, kernel_name: str = "python3") -> str:
        """Runs a cell in a new kernel and ends the kernel."""
        with self.kernel(kernel_name) as kernel:
            printed = kernel.run(code)
        self.delete(kernel.path)
        return printed


def logged_in(url: str, name: str, password: str, verify: bool = True) -> User:
    """A user who is in."""
    user = User(url, name, verify)
    answer = user.login(password)
    assert answer.status_code == 302, (
        f"{name} can't log in: {answer.status_code} {answer.text[-600:]}"
    )
    return user
