"""A Docker engine that answers late or never: the real one, with one answer that gets lost."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.setup.engine import SOCKET

_WITHIN = 60  # seconds


class LateEngine:
    """The way to this machine's engine: it does one request whose answer nobody gets."""

    def __init__(self, path: Path, request: str, late: bool) -> None:
        self.host = f"unix://{path}"
        self.lost = threading.Event()
        self._request, self._late = request.encode(), late
        self._given_up, self._asked_again = threading.Event(), threading.Event()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Takes no more requests."""
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        engine.connect(SOCKET)
        with client, engine, contextlib.suppress(OSError):
            answers = threading.Thread(target=_pass_on, args=(engine, client), daemon=True)
            answers.start()
            while data := client.recv(65536):
                if self._request in data.split(b"\r\n", 1)[0]:
                    if not self._given_up.is_set():
                        self._lose(client, data)
                        return
                    self._asked_again.set()
                    self.lost.wait(_WITHIN)
                engine.sendall(data)
            engine.shutdown(socket.SHUT_WR)
            answers.join()

    def _lose(self, client: socket.socket, data: bytes) -> None:
        self._given_up.set()
        data += _rest(client, data)
        client.shutdown(socket.SHUT_RDWR)
        if self._late:
            self._asked_again.wait(_WITHIN)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
            engine.connect(SOCKET)
            engine.sendall(data)
            assert engine.recv(65536)
        self.lost.set()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _rest(client: socket.socket, data: bytes) -> bytes:
    """What is missing of a request whose head was read."""
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length: *(\d+)", head, re.M | re.I)
    missing = int(length[1]) - len(body) if length else 0
    rest = b""
    while len(rest) < missing and (more := client.recv(65536)):
        rest += more
    return rest


@contextmanager
def late_engine(folder: Path, request: str, *, late: bool) -> Iterator[LateEngine]:
    """A way to the engine; it does the first request like this, and tells nobody.

    `late`: it does that when it is asked for the same again, immediately before.
    """
    found = LateEngine(folder / "late.sock", request, late)
    try:
        yield found
    finally:
        found.close()
