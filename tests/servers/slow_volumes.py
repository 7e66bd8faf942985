"""A Docker volume driver that takes its time: meanwhile the engine is making a container."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

PLUGINS = Path("/run/docker/plugins")  # where every engine looks


class _Driver(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, socket: Path, folder: Path) -> None:
        super().__init__(str(socket), _Handler)
        self.folder = folder
        self.volumes: set[str] = set()
        self.asked, self.goes_on = threading.Event(), threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: _Driver

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        method = self.path.rpartition(".")[2]
        answer = json.dumps(self._answer(method, given.get("Name", ""))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answer(self, method: str, name: str) -> dict[str, Any]:
        volumes = self.server.volumes
        place = {"Name": name, "Mountpoint": str(self.server.folder)}
        match method:
            case "Activate":
                return {"Implements": ["VolumeDriver"]}
            case "Capabilities":
                return {"Capabilities": {"Scope": "local"}}
            case "Create":
                self.server.asked.set()
                self.server.goes_on.wait(60)
                volumes.add(name)
            case "Remove":
                volumes.discard(name)
            case "List":
                return {"Volumes": [{"Name": each} for each in volumes]}
            case "Get":
                return {"Volume": place} if name in volumes else {"Err": "not there"}
        return place | {"Err": ""}

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def slow_volumes(name: str, folder: Path) -> Iterator[_Driver]:
    """The driver of this name: `asked` when a container needs it, until `goes_on` is set."""
    PLUGINS.mkdir(parents=True, exist_ok=True)
    socket = PLUGINS / f"{name}.sock"
    socket.unlink(missing_ok=True)
    driver = _Driver(socket, folder)
    threading.Thread(target=driver.serve_forever, daemon=True).start()
    try:
        yield driver
    finally:
        driver.goes_on.set()
        driver.shutdown()
        socket.unlink(missing_ok=True)
