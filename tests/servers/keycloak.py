"""Keycloak, from Maven Central: the OpenID Connect provider that most institutes run."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.client import eventually
from toolchain.setup import paths
from toolchain.setup.steps import apt_install

VERSION = "26.0.7"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
_ADMIN = {"KC_BOOTSTRAP_ADMIN_USERNAME": "root", "KC_BOOTSTRAP_ADMIN_PASSWORD": "only-a-test"}


def _home() -> Path:
    """Keycloak's folder in the cache."""
    home = paths.cache() / f"keycloak-{VERSION}"
    if home.exists():
        return home
    if absent := [name for name in ("mvn", "java") if not shutil.which(name)]:
        apt_install(*{"mvn": ["maven"], "java": ["default-jre-headless"]}[absent[0]])
    partial = paths.cache() / f"keycloak-{os.getpid()}"
    artifact = f"-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
    fetch = ["mvn", "-q", "-B", _PLUGIN, artifact, f"-DoutputDirectory={partial}"]
    subprocess.run(fetch, check=True, cwd="/")
    (archive,) = partial.glob("*.zip")
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(partial)
    (partial / f"keycloak-{VERSION}").rename(home)
    shutil.rmtree(partial)
    (home / "bin/kc.sh").chmod(0o755)
    return home


class Keycloak:
    """One that can be stopped and started again; what is in it is then gone."""

    def __init__(self, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.issuer = f"{self.url}/realms/class"
        self._port, self._log = port, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, realm: dict[str, Any]) -> None:
        """Starts it with one realm, `class`."""
        command = [_home() / "bin/kc.sh", "start-dev", "--db=dev-mem", "--http-host=127.0.0.1"]
        options = [f"--http-port={self._port}", "--health-enabled=false"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *options], env=os.environ | _ADMIN, stdout=log, stderr=log
            )
        master = f"{self.url}/realms/master"
        eventually("Keycloak", lambda: requests.get(master, timeout=5).ok, 400)
        self.admin("POST", "", realm | {"realm": "class", "enabled": True}, base="/admin/realms")

    def stop(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def admin(
        self, method: str, path: str, body: Any = None, base: str = "/admin/realms/class"
    ) -> Any:
        """A call of its own API."""
        form = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": _ADMIN["KC_BOOTSTRAP_ADMIN_USERNAME"],
            "password": _ADMIN["KC_BOOTSTRAP_ADMIN_PASSWORD"],
        }
        token = requests.post(
            f"{self.url}/realms/master/protocol/openid-connect/token", data=form, timeout=30
        ).json()["access_token"]
        answer = requests.request(
            method,
            f"{self.url}{base}{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def user(self, name: str) -> dict[str, Any]:
        """What it knows of somebody."""
        found = self.admin("GET", f"/users?username={name}&exact=true")
        return dict(found[0])


@contextmanager
def keycloak(port: int, log: Path, realm: dict[str, Any]) -> Iterator[Keycloak]:
    """A Keycloak with a realm, ended afterwards."""
    server = Keycloak(port, log)
    try:
        server.start(realm)
        yield server
    finally:
        server.stop()
