"""What the world sees of a hub: two ports, good TLS, careful cookies."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from http.cookies import SimpleCookie

import pytest
import requests

from tests.checkout import Checkout
from tests.client import User
from tests.local.isolation.conftest import HTTPS_PORT

AEAD = re.compile("GCM|CHACHA20")


def test_nothing_listens_but_the_edge(hub: Checkout) -> None:
    shown = subprocess.run(["ss", "-Hltunp"], capture_output=True, text=True, check=True).stdout
    own = {
        process[1]
        for role in ("hub", "guard", "proxy")
        for process in hub.container(role).top()["Processes"]
    }
    found = {
        line.split()[4].replace("*:", "0.0.0.0:")
        for line in shown.splitlines()
        if own & set(re.findall(r"pid=(\d+)", line))
    }
    edge = {f"0.0.0.0:{hub.port}", f"0.0.0.0:{HTTPS_PORT}"}
    assert found == {*edge, f"127.0.0.1:{hub.port + 100}", f"{hub.gateway}:8081"}


def shake_hands(
    version: ssl.TLSVersion, ciphers: list[str] | None = None
) -> tuple[str, str] | None:
    """Protocol and cipher agreed on, or nothing."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(":".join(ciphers or ["ALL"]) + ":@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection(("127.0.0.1", HTTPS_PORT), timeout=10) as plain,
            context.wrap_socket(plain) as agreed,
        ):
            name, protocol, _ = agreed.cipher() or ("", "", 0)
            return protocol, name
    except (ssl.SSLError, ConnectionResetError):
        return None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_and_weak_ciphers_are_refused(hub: Checkout) -> None:
    assert shake_hands(ssl.TLSVersion.TLSv1_3)
    found = shake_hands(ssl.TLSVersion.TLSv1_2)
    assert found
    assert AEAD.search(found[1])
    for old in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
        assert shake_hands(old) is None
    context = ssl.create_default_context()
    context.set_ciphers("ALL:!aNULL:@SECLEVEL=0")
    offered = [each["name"] for each in context.get_ciphers()]
    weak = [name for name in offered if not AEAD.search(name)]
    fixed = [name for name in offered if not re.match("ECDHE|DHE|TLS_", name)]  # no forward secrecy
    assert len(weak) > 10
    assert shake_hands(ssl.TLSVersion.TLSv1_2, weak) is None
    assert shake_hands(ssl.TLSVersion.TLSv1_2, fixed) is None


def test_files_are_taken_for_what_they_say_they_are(hub: Checkout, ben: User) -> None:
    for page in (f"{ben.url}/hub/login", ben.at("lab")):
        headers = ben.session.get(page).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert re.search(
            "frame-ancestors 'none'|frame-ancestors 'self'", headers["Content-Security-Policy"]
        )
        # Browsers would no longer let anybody accept a self-signed certificate.
        assert "Strict-Transport-Security" not in headers


def test_cookies_are_for_tls_and_for_this_site(ben: User, known: dict[str, str]) -> None:
    """All that a browser gets from the login page to JupyterLab."""
    user = User(ben.url, "ben", verify=False)
    user.session.hooks["response"].append(lambda answer, **_: answers.append(answer))
    answers: list[requests.Response] = []
    user.login(known["ben"])
    assert user.is_open()
    cookies = [
        morsel
        for answer in answers
        for line in answer.raw.headers.getlist("Set-Cookie")
        for morsel in SimpleCookie(line).values()
        if morsel.value
    ]
    names = {cookie.key for cookie in cookies}
    assert {"jupyterhub-hub-login", "jupyterhub-user-ben", "_xsrf"} <= names
    for cookie in cookies:
        # Jupyter Server sets its own `_xsrf` without; who has that alone gets nowhere.
        is_servers = cookie.key == "_xsrf" and cookie["path"].startswith("/user/")
        assert cookie["secure"] or is_servers, cookie
        assert cookie["samesite"].lower() in ("lax", "strict") or is_servers, cookie
        assert cookie["httponly"] or cookie.key == "_xsrf", cookie  # that one is for the page


def test_no_dashboard_and_no_api_at_the_edge(ben: User) -> None:
    for path in ("dashboard/", "api/rawdata", "api/http/routers", "ping"):
        answer = requests.get(f"{ben.url}/{path}", verify=False, timeout=10)
        assert "/hub/" in answer.url or answer.status_code == 404
