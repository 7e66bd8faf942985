"""The edge: redirect, routes of one's own, a provided certificate; and a host without room.

What the world sees of it otherwise: isolation/test_outside.py.
"""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import urllib3

from tests.checkout import Checkout, running
from tests.client import logged_in
from tests.local.conftest import NOTEBOOK

urllib3.disable_warnings()
DOCS_PORT = 8396


class _Docs(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"own container")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", DOCS_PORT), _Docs)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "hub": {"images": [{"title": "Python", "source": NOTEBOOK}]},
        "proxy": {
            "https_port": 8449,
            "tls": {"kind": "self_signed"},
            "routes": [{"name": "docs", "path": "/docs", "url": f"http://127.0.0.1:{DOCS_PORT}"}],
        },
    }
    with running(tmp_path_factory.mktemp("edge"), "tedge", 9, config) as checkout:
        yield checkout
    server.shutdown()


def test_http_only_redirects(hub: Checkout) -> None:
    answer = requests.get(f"{hub.url}/hub/login", allow_redirects=False, timeout=10)
    assert answer.status_code in (301, 308)
    assert answer.headers["location"] == "https://127.0.0.1:8449/hub/login"


def test_a_route_of_ones_own_comes_before_the_hubs(hub: Checkout) -> None:
    assert (
        requests.get(f"{hub.outputs['url']}/docs/x", verify=False, timeout=10).text
        == "own container"
    )


def test_the_access_is_logged(hub: Checkout) -> None:
    requests.get(f"{hub.outputs['url']}/hub/login?seen=here", verify=False, timeout=10)
    assert "/hub/login?seen=here" in hub.container("proxy").logs().decode()


def test_a_provided_certificate(hub: Checkout, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=hub.test", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    hub.configure(proxy={"tls": {"kind": "provided", "certificate": certificate.read_text()}})
    printed = hub.make("up", check=False)
    assert "kind `provided` also needs: key" in printed
    path = "jupyterhub:proxy.tls.key"
    hub.pulumi(f"config set --secret --path '{path}' --stack {hub.stack} < {key}")
    hub.make("up")
    shown = ssl.get_server_certificate(("127.0.0.1", 8449))
    assert shown.strip() == certificate.read_text().strip()
    assert requests.get(f"{hub.outputs['url']}/hub/login", verify=str(certificate), timeout=10).ok
    state = "".join(p.read_text() for p in Path(hub.environment["XDG_DATA_HOME"]).rglob("*.json"))
    assert key.read_text().splitlines()[1] not in state


def test_a_host_without_room_says_so(hub: Checkout) -> None:
    hub.configure(hub={"memory_reserve": "1000G"})
    hub.make("up")
    anna = logged_in(hub.outputs["url"], "anna", hub.secrets()["class_password"], verify=False)
    page = anna.session.get(f"{anna.url}/hub/spawn").text
    assert "There is no room for another server: it needs 244 MiB and 0 MiB are left" in page
    assert not hub.has_server("anna")
