"""Pebble, the ACME authority that Let's Encrypt tests clients with, and its DNS server."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.client import eventually
from toolchain.setup import go, paths

VERSION = "2.8.0"
PROGRAMS = ("pebble", "pebble-challtestsrv")


def _folder() -> Path:
    """Both programs, and the certificate that Pebble's own API has."""
    folder = paths.cache() / f"pebble-{VERSION}"
    if not folder.exists():
        with go.workspace() as space:
            source = Path(space) / "source"
            go.module("github.com/letsencrypt/pebble/v2", VERSION, source)
            made = Path(space) / "made"
            for program in PROGRAMS:
                go.build(source, f"./cmd/{program}", "", made / program, program, cgo=False)
            shutil.copytree(source / "test" / "certs", made / "certs")
            made.rename(folder)
    return folder


class Pebble:
    """An authority on loopback, which finds every name at 127.0.0.1."""

    def __init__(self, port: int, http_port: int, days: int) -> None:
        self.directory = f"https://127.0.0.1:{port}/dir"
        self.dns = f"127.0.0.1:{port + 2}"
        self.records = f"http://127.0.0.1:{port + 4}"  # speaks what lego's `httpreq` asks for
        self._port, self._http_port, self._days = port, http_port, days
        self._challenges = f"http://127.0.0.1:{port + 3}"

    @property
    def own_ca(self) -> str:
        """Who vouches for its API."""
        return (_folder() / "certs/pebble.minica.pem").read_text()

    def root(self) -> str:
        """Who vouches for what it issues; another one after each start."""
        answer = requests.get(
            f"https://127.0.0.1:{self._port + 1}/roots/0", verify=False, timeout=10
        )
        return answer.text

    def trust(self) -> ssl.SSLContext:
        """A browser that knows this authority and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.root())
        return context

    @contextmanager
    def running(self, folder: Path) -> Iterator[Pebble]:
        """Both servers, ended afterwards."""
        settings = folder / "pebble.json"
        certs = _folder() / "certs/localhost"
        profile = {"description": "of this test", "validityPeriod": self._days * 86400}
        own = {
            "listenAddress": f"127.0.0.1:{self._port}",
            "managementListenAddress": f"127.0.0.1:{self._port + 1}",
            "certificate": str(certs / "cert.pem"),
            "privateKey": str(certs / "key.pem"),
            "httpPort": self._http_port,
            "tlsPort": 1,
            "profiles": {"default": profile},
        }
        settings.write_text(json.dumps({"pebble": own}))
        environment = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        names = [_folder() / PROGRAMS[1], "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
        names += ["-dns01", self.dns, "-management", self._challenges.removeprefix("http://")]
        names += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""]
        issue = [_folder() / PROGRAMS[0], "-config", settings, "-dnsserver", self.dns]
        records = self._records_server()
        with (folder / "log").open("w") as log:
            servers = [
                subprocess.Popen(command, env=environment, stdout=log, stderr=log)
                for command in (names, issue)
            ]
        try:
            eventually("pebble", lambda: "BEGIN CERTIFICATE" in self.root(), 20)
            yield self
        finally:
            records.shutdown()
            records.server_close()
            for server in servers:
                server.terminate()
                server.wait(10)

    def _records_server(self) -> http.server.ThreadingHTTPServer:
        """Hands records that Traefik wants to Pebble's DNS server."""
        challenges = self._challenges

        class Records(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                record = {"host": asked["fqdn"], "value": asked["value"]}
                action = "set-txt" if self.path == "/present" else "clear-txt"
                requests.post(f"{challenges}/{action}", json=record, timeout=10)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        address = ("127.0.0.1", self._port + 4)
        server = http.server.ThreadingHTTPServer(address, Records)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server
