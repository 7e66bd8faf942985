"""Certificates from a real ACME authority: got, kept over a rebuild, renewed, proved by DNS."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from cryptography import x509

from tests.checkout import Checkout, running
from tests.client import User, eventually
from tests.local.conftest import NOTEBOOK
from tests.servers.pebble import Pebble

urllib3.disable_warnings()
NUMBER, HTTPS, NAME = 0, 8450, "hub.class.test"
DAYS = 20  # of a certificate


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    pebble = Pebble(8780, http_port=8400 + NUMBER, days=DAYS)
    with pebble.running(tmp_path_factory.mktemp("pebble")) as running_one:
        yield running_one


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, authority: Pebble) -> Iterator[Checkout]:
    config = {
        "hub": {"images": [{"title": "Python", "source": NOTEBOOK}]},
        "proxy": {"https_port": HTTPS, "tls": tls(authority)},
    }
    with running(tmp_path_factory.mktemp("acme"), "tacme", NUMBER, config) as checkout:
        yield checkout


def tls(authority: Pebble, **more: object) -> dict[str, object]:
    return {
        "kind": "acme",
        "email": "teacher@class.test",
        "domains": [NAME],
        "acme_server": authority.directory,
        "acme_ca": authority.own_ca,
        "lifetime": 30,
    } | more


def certificate(authority: Pebble, name: str = NAME) -> x509.Certificate:
    """What a browser gets that trusts the authority; fails for any other certificate."""
    with (
        socket.create_connection(("127.0.0.1", HTTPS), timeout=10) as connection,
        authority.trust().wrap_socket(connection, server_hostname=name) as secure,
    ):
        return x509.load_der_x509_certificate(secure.getpeercert(True) or b"")


def got(authority: Pebble, name: str = NAME) -> x509.Certificate:
    """The certificate, once it is there."""

    def look() -> x509.Certificate | None:
        try:
            return certificate(authority, name)
        except (ssl.SSLError, OSError):
            return None

    return eventually(f"a certificate for {name}", look, 60)


def test_a_certificate_is_got_and_kept_over_a_rebuild(hub: Checkout, authority: Pebble) -> None:
    first = got(authority)
    assert hub.outputs["url"] == f"https://{NAME}:{HTTPS}"
    proxy = hub.container("proxy").id
    hub.make("down")
    hub.make("up")
    assert hub.container("proxy").id != proxy
    assert got(authority).serial_number == first.serial_number


def test_a_certificate_is_renewed_in_time(hub: Checkout, authority: Pebble) -> None:
    """Of one that lasts 90 days, 20 are left: time for a new one."""
    first = got(authority)
    hub.configure(proxy={"tls": tls(authority, lifetime=90)})
    hub.make("up")
    proxy = hub.container("proxy")
    # Traefik asks as it starts and then once a day, and the authority may ask it back for the proof
    # before it serves its first routes. Starting it again stands in for the next day.
    for _ in range(4):
        for _ in range(20):
            if got(authority).serial_number != first.serial_number:
                return
            time.sleep(0.5)
        proxy.restart()
    pytest.fail(f"no other certificate:\n{proxy.logs().decode()}")


def test_every_name_below_is_proved_by_dns(hub: Checkout, authority: Pebble) -> None:
    dns = {
        "provider": "httpreq",
        "environment": {"HTTPREQ_ENDPOINT": authority.records},
        "resolvers": [authority.dns],
        "check": False,
    }
    names = [NAME, f"*.{NAME}"]
    hub.configure(proxy={"tls": tls(authority, domains=names, dns=dns)})
    hub.make("up")
    found = got(authority, f"anna.{NAME}")
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert set(alternatives.value.get_values_for_type(x509.DNSName)) == set(names)


@pytest.fixture(scope="module")
def anna(
    hub: Checkout, authority: Pebble, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[User]:
    """With `subdomains`, after the test above: the certificate is for all names below."""
    groups = {"muons": {"members": ["anna"], "together": True}}
    hub.configure(hub={"subdomains": True, "files": {"groups": groups}})
    hub.make("up")
    trusted = tmp_path_factory.mktemp("trusted") / "root.pem"
    trusted.write_text(authority.root())
    with pytest.MonkeyPatch.context() as monkeypatch:
        _find_names_here(monkeypatch)
        user = User(f"https://{NAME}:{HTTPS}", "anna", verify=False)
        user.session.verify = str(trusted)
        assert user.login(hub.secrets()["class_password"]).status_code == 302
        yield user


def test_users_have_names_of_their_own(anna: User) -> None:
    anna.session.get(f"{anna.url}/hub/spawn")
    own = f"https://anna.{NAME}:{HTTPS}/user/anna/lab"
    eventually("the server", lambda: anna.session.get(own).url == own, 60)
    under_the_hub = f"{anna.url}/user/anna/api/contents"
    login = anna.session.get(f"{anna.url}/hub/login")
    assert login.headers["Strict-Transport-Security"] == "max-age=31536000"
    leads_to = f"https://anna.{NAME}:{HTTPS}/"
    eventually(
        "the hub's name leads to hers",
        lambda: anna.session.get(under_the_hub).url.startswith(leads_to),
    )
    hub_cookies = [c for c in anna.session.cookies if c.name == "jupyterhub-hub-login"]
    assert hub_cookies
    assert all(c.domain == NAME and not c.domain_specified for c in hub_cookies)


def test_so_has_a_common_server(anna: User) -> None:
    """Neither the hub's pages nor anybody's own have its address."""
    opens = f"{anna.url}/hub/together/muons"
    its = rf"https://([a-z0-9-]+)\.{re.escape(NAME)}:{HTTPS}/user/_muons/"

    def look() -> str | None:
        found = re.match(its, anna.session.get(opens).url)
        return found and found[1]

    assert eventually("the group's server", look, 60) not in ("", "anna")


def _find_names_here(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def look(name: Any, *more: Any, **options: Any) -> Any:
        here = isinstance(name, str) and name.endswith("class.test")
        return real("127.0.0.1" if here else name, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look)


def test_tls_is_1_2_or_newer(hub: Checkout, authority: Pebble) -> None:
    got(authority)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", HTTPS), timeout=10) as connection,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(connection, server_hostname=NAME)
