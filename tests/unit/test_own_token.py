"""The notebook that talks S3 with the user's own token, cell by cell.

moto stands in for a store with S3 and STS, and a small server for the hub's `login-token`.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

NOTEBOOK = Path("images/notebook/how-to/bucket-with-your-own-token.ipynb")
TOKEN = "an-access-token-of-this-test"


class Hub(http.server.BaseHTTPRequestHandler):
    """Gives the token to who has the server's own."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == "token of-the-server"
        self.send_response(200 if known and self.path == "/hub/api/login-token" else 403)
        self.end_headers()
        self.wfile.write(json.dumps({"access_token": TOKEN}).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hub/api"
    server.shutdown()
    server.server_close()


@pytest.fixture
def store() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def test_it_lists_puts_and_reads(
    hub: str, store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_ENDPOINT_URL", store)
    monkeypatch.setenv("JUPYTERHUB_API_URL", hub)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-the-server")
    monkeypatch.setenv("JUPYTERHUB_USER", "anna")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/class")  # moto's account
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    owner = boto3.client("s3", endpoint_url=store, **keys)
    owner.create_bucket(Bucket="course")
    sent: list[str] = []

    def note(request: object, **_: object) -> None:
        sent.append(str(getattr(request, "body", "")))

    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register("before-send.sts", note)
    variables: dict[str, object] = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), variables)  # as a kernel does
    shown = capsys.readouterr().out
    assert "['hello-from-anna.txt']" in shown and "It works." in shown
    assert TOKEN not in shown
    assert any(TOKEN in body for body in sent)  # it is the user's own that was exchanged
    found = owner.get_object(Bucket="course", Key="hello-from-anna.txt")
    assert found["Body"].read() == b"It works."
