"""The environment that pulumi runs in."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from toolchain.setup import pulumi_cli
from toolchain.setup.pulumi_cli import Pulumi
from toolchain.stacks import environment
from toolchain.stacks.stack import Stack

BUILT = Pulumi(Path("/cache/pulumi"), own_language_host=True, own_docker_plugin=True)
VENDOR = Pulumi(Path("/opt/pulumi/pulumi"), own_language_host=False, own_docker_plugin=False)


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "PULUMI_BACKEND_URL",
        "PULUMI_CONFIG_PASSPHRASE",
        "PULUMI_CONFIG_PASSPHRASE_FILE",
        "PULUMI_JUPYTERHUB_CA_BUNDLE",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/usr/bin")


def test_the_state_is_a_folder_outside_the_checkout(tmp_path: Path) -> None:
    found = environment.variables(VENDOR)
    assert found["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/data/pulumi-jupyterhub/state"


def test_a_users_own_backend_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    assert "PULUMI_BACKEND_URL" not in environment.variables(VENDOR)


def test_a_users_login_is_respected(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    login = {"current": "https://api.pulumi.com"}
    (tmp_path / "home" / "credentials.json").write_text(json.dumps(login))
    assert "PULUMI_BACKEND_URL" not in environment.variables(VENDOR)


def test_the_passphrase_is_made_once_and_its_owners_alone() -> None:
    file = Path(environment.variables(VENDOR)["PULUMI_CONFIG_PASSPHRASE_FILE"])
    first = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(first.strip()) >= 32
    environment.variables(VENDOR)
    assert file.read_text() == first
    assert [path.name for path in file.parent.glob("passphrase*")] == ["passphrase"]


def test_a_users_own_passphrase_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "mine")
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in environment.variables(VENDOR)


def test_the_fallback_is_on_path_only_where_it_is_needed() -> None:
    vendor, built = environment.variables(VENDOR), environment.variables(BUILT)
    assert vendor["PATH"] == "/opt/pulumi:/usr/bin"
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in vendor
    for part in ("language", "docker", "kubernetes"):
        assert f"/toolchain/plugins/bin/{part}" in built["PATH"]
    assert built["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_path_does_not_grow_when_the_environment_is_taken_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    once = environment.variables(BUILT)["PATH"]
    monkeypatch.setenv("PATH", once)
    assert environment.variables(BUILT)["PATH"] == once


def test_certificates_of_the_site_reach_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.crt"
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert "PULUMI_JUPYTERHUB_CA_BUNDLE" not in environment.variables(VENDOR)
    bundle.touch()
    assert environment.variables(VENDOR)["PULUMI_JUPYTERHUB_CA_BUNDLE"] == str(bundle)


def test_protection_ends_by_no_variable_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulumi takes each of its options from there: an `up` would replace protected disks."""
    monkeypatch.setattr(pulumi_cli, "find", lambda: BUILT)
    monkeypatch.setenv("PULUMI_OPTION_IGNORE_PROTECT", "true")
    monkeypatch.setenv("PULUMI_OPTION_PARALLEL", "4")
    found = Stack("local").environment
    assert "PULUMI_OPTION_IGNORE_PROTECT" not in found
    assert found["PULUMI_OPTION_PARALLEL"] == "4"
