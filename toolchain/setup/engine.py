"""Talks to a Docker engine over its socket: the few calls that setting up and mending need.

The `docker` command on a machine may be newer than its engine, or missing; the API is always there.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

SOCKET = "/var/run/docker.sock"
LABEL = "pulumi-jupyterhub"


class EngineError(Exception):
    """The engine's answer when it refuses."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except FileNotFoundError as error:
            raise ConnectionRefusedError(f"no engine at {self._path}") from error


class Engine:
    """One engine behind a unix socket."""

    def __init__(self, host: str = f"unix://{SOCKET}") -> None:
        self.socket = Path(host.removeprefix("unix://"))

    def call(
        self, method: str, path: str, body: Any = None, *, timeout: float = 60, stream: Any = None
    ) -> Any:
        """One request; the answer as JSON, or as text where it is none."""
        text = self._bytes(method, path, body, timeout, stream).decode(errors="replace")
        try:
            return json.loads(text) if text else None
        except ValueError:
            return text

    def _bytes(self, method: str, path: str, body: Any, timeout: float, stream: Any) -> bytes:
        connection = _Connection(str(self.socket), timeout)
        headers = {}
        if stream is not None:
            body, headers = stream, {"Content-Type": "application/x-tar"}
        elif body is not None:
            body, headers = json.dumps(body), {"Content-Type": "application/json"}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise EngineError(answer.status, _message(content.decode(errors="replace")))
        return content

    def log(self, identity: str, lines: int) -> str:
        """The last lines that a container printed."""
        path = f"/containers/{identity}/logs?stdout=1&stderr=1&tail={lines}"
        return demultiplexed(self._bytes("GET", path, None, 60, None)).decode(errors="replace")

    def version(self) -> str | None:
        """The engine's version, or None where none answers."""
        try:
            return str(self.call("GET", "/version", timeout=5)["Version"])
        except (OSError, EngineError, http.client.HTTPException):
            return None

    def containers(self, deployment: str, role: str | None = None) -> list[dict[str, Any]]:
        """All containers of a deployment, running or not."""
        return list(self.call("GET", "/containers/json?all=1&filters=" + _labels(deployment, role)))

    def networks(self, deployment: str) -> list[dict[str, Any]]:
        """All networks of a deployment."""
        return list(self.call("GET", "/networks?filters=" + _labels(deployment, None)))

    def has_volume(self, name: str) -> bool:
        """Whether a volume exists."""
        return self._has(f"/volumes/{quote(name)}")

    def has_image(self, reference: str) -> bool:
        """Whether an image is on the engine."""
        return self._has(f"/images/{quote(reference, safe='/:@')}/json")

    def has_container(self, name: str) -> bool:
        """Whether a container is there, running or not, anybody's."""
        return self._has(f"/containers/{quote(name)}/json")

    def _has(self, path: str) -> bool:
        try:
            self.call("GET", path)
        except EngineError as error:
            if error.status == 404:
                return False
            raise
        return True

    def execute(self, identity: str, command: list[str]) -> tuple[int, str]:
        """Runs a command in a container; its exit code and all it printed."""
        body = {"AttachStdout": True, "AttachStderr": True, "Cmd": command}
        made = self.call("POST", f"/containers/{identity}/exec", body)["Id"]
        printed = self._bytes("POST", f"/exec/{made}/start", {"Tty": False}, 60, None)
        code = self.call("GET", f"/exec/{made}/json")["ExitCode"]
        return int(code), demultiplexed(printed).decode(errors="replace")

    def has_image_of(self, prefix: str) -> bool:
        """Whether some image's name begins like this."""
        tags = (
            tag for image in self.call("GET", "/images/json") for tag in image["RepoTags"] or []
        )
        return any(tag.startswith(prefix) for tag in tags)

    def pull(self, reference: str) -> bool:
        """Pulls an image; False where its registry can't be reached."""
        name, _, tag = reference.rpartition(":")
        try:
            self.call("POST", f"/images/create?fromImage={quote(name)}&tag={tag}", timeout=900)
        except (EngineError, OSError, http.client.HTTPException):
            return False
        return self.has_image(reference)  # a failed pull can still answer 200

    def import_image(self, tar: IO[bytes], reference: str, *changes: str) -> None:
        """Makes an image of one layer from a tar archive."""
        name, _, tag = reference.rpartition(":")
        query = f"fromSrc=-&repo={quote(name)}&tag={tag}"
        query += "".join(f"&changes={quote(change)}" for change in changes)
        self.call("POST", f"/images/create?{query}", stream=tar, timeout=900)

    def remove_container(self, identity: str, grace: int = 10) -> None:
        """Stops a container, giving it time, and removes it; returns when it is gone."""
        for method, path in (
            ("POST", f"/containers/{identity}/stop?t={grace}"),
            ("DELETE", f"/containers/{identity}?force=1&v=1"),
        ):
            try:
                self.call(method, path, timeout=grace + 60)
            except EngineError as error:
                # gone meanwhile (404), or on its way out (409)
                if error.status not in (304, 404, 409):
                    raise
        deadline = time.monotonic() + grace + 60
        while self.has_container(identity) and time.monotonic() < deadline:
            time.sleep(0.2)

    def remove(self, kind: str, name: str) -> None:
        """Removes a network, a volume or an image that is there."""
        try:
            self.call("DELETE", f"/{kind}/{quote(name, safe='/:@')}")
        except EngineError as error:
            if error.status != 404:
                raise


def demultiplexed(content: bytes) -> bytes:
    """What a container printed, without the eight bytes before each piece: stream and length."""
    pieces = []
    while len(content) > 8:
        length = int.from_bytes(content[4:8], "big")
        pieces.append(content[8 : 8 + length])
        content = content[8 + length :]
    return b"".join(pieces)


def _labels(deployment: str, role: str | None) -> str:
    labels = [f"{LABEL}.deployment={deployment}"] + ([f"{LABEL}.role={role}"] if role else [])
    return quote(json.dumps({"label": labels}))


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError):
        return text.strip()


def local() -> Engine:
    """The engine of this machine: DOCKER_HOST's where that is a socket, else the usual one."""
    host = os.environ.get("DOCKER_HOST", "")
    return Engine(host if host.startswith("unix://") else f"unix://{SOCKET}")
