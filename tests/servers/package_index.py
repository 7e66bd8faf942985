"""A package index on loopback, with one small package, that answers badly when told to."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PACKAGE, VERSION = "chalk-and-talk", "1.0"
_ABOUT = f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {VERSION}\n"
_WHEEL = f"chalk_and_talk-{VERSION}-py3-none-any.whl"


def _wheel() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = f"chalk_and_talk-{VERSION}.dist-info"
        archive.writestr("chalk_and_talk.py", "#" * 100_000)
        archive.writestr(f"{info}/METADATA", _ABOUT)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return out.getvalue()


WHEEL = _wheel()
SHA256 = hashlib.sha256(WHEEL).hexdigest()
LOCK = f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n"


class Index(ThreadingHTTPServer):
    """`bad`: how many downloads are cut off, or stall (`stalls`), before one is whole."""

    daemon_threads = True

    def __init__(self, bad: int, stalls: bool, wheel: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bad, self.stalls, self.wheel = bad, stalls, wheel
        self.downloads = 0
        self.ends = threading.Event()

    @property
    def url(self) -> str:
        """What pip and uv are told."""
        return f"http://127.0.0.1:{self.server_port}/simple"


class _Handler(BaseHTTPRequestHandler):
    server: Index
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.endswith(".whl"):
            self._download()
            return
        page = _ABOUT
        if not self.path.endswith(".metadata"):  # as PyPI has it: apart from the file
            link = f'<a href="/files/{_WHEEL}" data-core-metadata="true">{_WHEEL}</a>'
            page = f"<!DOCTYPE html>{link}"
        self._begin("text/html", len(page))
        self.wfile.write(page.encode())

    def _download(self) -> None:
        self.server.downloads += 1
        wheel = self.server.wheel
        self._begin("application/octet-stream", len(wheel))
        if self.server.downloads > self.server.bad:
            self.wfile.write(wheel)
            return
        self.wfile.write(wheel[: len(wheel) // 2])
        if self.server.stalls:
            self.server.ends.wait(60)
        self.close_connection = True

    def _begin(self, kind: str, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def package_index(bad: int = 0, stalls: bool = False, wheel: bytes = WHEEL) -> Iterator[Index]:
    """An index for as long as it is needed."""
    index = Index(bad, stalls, wheel)
    threading.Thread(target=index.serve_forever, daemon=True).start()
    try:
        yield index
    finally:
        index.ends.set()
        index.shutdown()
        index.server_close()
