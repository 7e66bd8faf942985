"""What a user's container can't do: seen from inside it."""

from __future__ import annotations

import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.checkout import ENGINE, Checkout
from tests.client import User, eventually
from tests.local.conftest import student
from tests.servers import outside

METADATA = "169.254.169.254"
FETCH = """
import urllib.request
try:
    print("reached", urllib.request.urlopen({url!r}, timeout=3).read()[:20])
except OSError as error:
    print("refused", error)
"""


@pytest.fixture(scope="module")
def mallory(class_hub: Checkout) -> Iterator[User]:
    user = student(class_hub, "mallory")
    user.start("Small")
    yield user
    user.stop()


@pytest.fixture
def metadata_server(tmp_path: Path) -> Iterator[str]:
    """A fake of the clouds' metadata service, on a network beyond this host as in a cloud."""
    serve = [sys.executable, "-m", "http.server", "80", "--bind", METADATA]
    with outside.machine(METADATA, [*serve, "--directory", tmp_path]):
        yield f"http://{METADATA}/"


class _Metadata(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"credentials")

    def log_message(self, *_: object) -> None: ...


def test_cloud_metadata_is_out_of_reach(mallory: User, metadata_server: str) -> None:
    def answers() -> bool:
        return requests.get(metadata_server, timeout=3).status_code == 200

    eventually("the host itself reaches it", answers, 20)
    code = FETCH.format(url=metadata_server)
    image = mallory_image(mallory)
    # A container on Docker's usual network reaches it, so the way there is open.
    usual = ENGINE.containers.run(image, ["python3", "-c", code], remove=True)
    assert usual.startswith(b"reached")
    assert mallory.run(code).startswith("refused")


def mallory_image(mallory: User) -> str:
    return mallory.run("import os; print(os.environ['JUPYTER_IMAGE_SPEC'])")


def test_the_hosts_ports_are_closed_but_the_hubs(class_hub: Checkout, mallory: User) -> None:
    hub = f"http://{class_hub.gateway}:8081/hub/api"
    assert mallory.run(FETCH.format(url=hub)).startswith("reached")
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 8399), _Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True)
        for address in {class_hub.gateway, *addresses.stdout.split()}:
            if ":" not in address:
                assert mallory.run(FETCH.format(url=f"http://{address}:8399/")).startswith(
                    "refused"
                )
                api = f"http://{address}:{class_hub.port + 100}/api/overview"
                assert mallory.run(FETCH.format(url=api)).startswith("refused")
    finally:
        server.shutdown()
        server.server_close()


def test_nothing_listens_on_the_network_but_the_edge(class_hub: Checkout) -> None:
    shown = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    own = {
        process[1]
        for role in ("hub", "guard", "proxy")
        for process in class_hub.container(role).top()["Processes"]
    }
    found = {
        line.split()[3] for line in shown.splitlines() if own & set(re.findall(r"pid=(\d+)", line))
    }
    edge, api = f"127.0.0.1:{class_hub.port}", f"127.0.0.1:{class_hub.port + 100}"
    assert found == {edge, api, f"{class_hub.gateway}:8081"}


def test_a_normal_user_without_any_capability(mallory: User) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in mallory.run("print(open('/proc/self/status').read())").splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == ["1000"] * 4
    for name in ("CapEff", "CapPrm", "CapBnd"):
        assert int(status[name], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_no_docker_socket_and_nothing_of_the_hub(mallory: User) -> None:
    paths = ["/var/run/docker.sock", "/srv/state", "/srv/homes", "/etc/jupyterhub/secrets.json"]
    assert mallory.run(f"import os; print([p for p in {paths} if os.path.exists(p)])") == "[]"


def test_too_much_memory_ends_the_kernel_and_nobody_else(
    class_hub: Checkout, mallory: User
) -> None:
    neighbour = student(class_hub, "neighbour")
    neighbour.start("Small")
    with neighbour.kernel() as working:
        working.run("x = 41")
        code = """
import subprocess, sys
print(subprocess.run([sys.executable, "-c", "bytearray(800_000_000)"]).returncode)
"""
        assert mallory.run(code) == "-9"
        assert working.run("print(x + 1)") == "42"
    neighbour.stop()


def test_too_many_processes_are_refused(class_hub: Checkout, mallory: User) -> None:
    assert class_hub.server("mallory").attrs["HostConfig"]["PidsLimit"] == 1024
    code = """
import subprocess
made = []
try:
    for _ in range(1200):
        made.append(subprocess.Popen(["sleep", "60"]))
    print("no limit")
except OSError as error:
    print("refused", len(made) > 500)
finally:
    for each in made:
        each.kill()
        each.wait()
"""
    assert mallory.run(code) == "refused True"


def test_no_server_starts_while_the_network_is_open(class_hub: Checkout) -> None:
    table = "jh_" + _digest(f"{class_hub.deployment}-users")
    hub, guard = class_hub.container("hub"), class_hub.container("guard")
    late = student(class_hub, "late")
    guard.pause()
    try:
        assert hub.exec_run(["nft", "delete", "table", "inet", table]).exit_code == 0
        late.session.get(f"{class_hub.url}/hub/spawn")
        form = {"image": "Small", "_xsrf": late._xsrf("/hub/")}
        page = late.session.post(f"{class_hub.url}/hub/spawn", data=form).text
        assert "The network that keeps users apart is not closed" in page
        assert [c.name for c in class_hub.containers("user") if "late" in c.name] == []
    finally:
        guard.unpause()
    closed = ["nft", "list", "table", "inet", table]
    eventually("the guard closes it again", lambda: hub.exec_run(closed).exit_code == 0, 20)
    late.start("Small")
    late.stop()


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:8]


def test_no_secret_in_any_log(class_hub: Checkout, mallory: User) -> None:
    token = mallory.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")
    secrets = {**class_hub.secrets(), "a server's token": token}
    for container in class_hub.containers():
        log = container.logs().decode()
        for name, secret in secrets.items():
            assert secret not in log, f"{name} in the log of {container.name}"
