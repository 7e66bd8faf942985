"""Stands where a user's server is, and writes down what reaches it: `python ear.py FOLDER`.

A program of its own, so that it goes on while the hub is replaced. It ends with the test.
No kernel of it is busy. Standard library only: a class of them starts at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER, SERVER = os.environ["JUPYTERHUB_USER"], os.environ["JUPYTERHUB_SERVER_NAME"]


class Ear(BaseHTTPRequestHandler):
    """Hears everything, and says little."""

    folder: Path

    def _hear(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        heard = {"user": USER, "path": self.path, "body": body}
        with (self.folder / "heard").open("a") as file:
            file.write(json.dumps(heard | {"headers": list(self.headers.items())}) + "\n")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[]")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _hear

    def log_message(self, *_: object) -> None: ...


def report() -> None:
    """What JupyterHub's part of a server does, with the server's own token."""
    while True:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        request = urllib.request.Request(
            os.environ["JUPYTERHUB_ACTIVITY_URL"],
            json.dumps({"last_activity": now, "servers": {"": {"last_activity": now}}}).encode(),
            {"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}"},
        )
        with contextlib.suppress(OSError):  # the hub is away, or knows this server no more
            urllib.request.urlopen(request, timeout=10).close()
        time.sleep(0.5)


def main() -> None:
    """Listens on a port of its own, and says which."""
    folder = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Ear,), {"folder": folder}))
    own = {"pid": os.getpid(), "environment": dict(os.environ)}
    (folder / f"ear {USER} {SERVER}").write_text(json.dumps(own))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if USER == "ben":  # tells the hub that it is at work, as our image does
        threading.Thread(target=report, daemon=True).start()
    print(server.server_port, flush=True)
    test = Path(f"/proc/{(folder / 'test').read_text()}")
    while test.exists() and (folder / "heard").exists():
        time.sleep(0.2)


if __name__ == "__main__":
    main()
