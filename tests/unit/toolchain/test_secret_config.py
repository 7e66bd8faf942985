"""Secrets are made once, and only those that a stack file lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from toolchain.stacks import secret_config

FULL = """\
config:
  jupyterhub:platform: local
  jupyterhub:secrets:
    admin_password:
      secure: v1:abc
    class_password:
      secure: v1:def
  jupyterhub:hub:
    title: Physics
    cookie_secret: not here
encryptionsalt: v1:x
"""


def test_what_the_file_lacks_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text(FULL)
    assert secret_config.missing(file) == ["cookie_secret", "crypt_key", "roster_key"]


def test_a_fresh_file_lacks_all(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text("config:\n  jupyterhub:platform: local\n")
    elsewhere = ("dask_key", "cluster_token", "grafana_password", "ssh_key")
    local = [name for name in secret_config.MAKERS if name not in elsewhere]
    assert secret_config.missing(file) == local
    file.write_text("config:\n  jupyterhub:platform: aws\n")
    rare = ("cluster_token", "grafana_password")
    of_machines = [name for name in secret_config.MAKERS if name not in rare]
    assert secret_config.missing(file) == of_machines


@pytest.mark.parametrize("kind", ["kind: k3s, cloud: aws", "cloud: aws, kind: 'k3s'"])
def test_what_few_stacks_have_is_made_where_it_is_asked_for(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "Pulumi.k3s.yaml"
    file.write_text(
        f"config:\n  jupyterhub:platform: kubernetes\n  jupyterhub:cluster: {{{kind}}}\n"
        "  jupyterhub:monitoring: {}\n"
    )
    assert secret_config.missing(file) == list(secret_config.MAKERS)


def test_secrets_have_the_form_that_the_hub_needs() -> None:
    made = {name: make() for name, make in secret_config.MAKERS.items()}
    assert re.fullmatch(r"([a-z]{4}-){3}[a-z]{4}", made["class_password"])
    assert len(made["admin_password"]) >= 32
    for name in ("cookie_secret", "crypt_key", "roster_key"):
        assert re.fullmatch(r"[0-9a-f]{64}", made[name])


def test_no_two_are_alike() -> None:
    assert len({secret_config.readable_password() for _ in range(50)}) == 50


def test_a_copy_that_nobody_keeps_has_invented_ones(tmp_path: Path) -> None:
    for text in (FULL, "config:\n  jupyterhub:platform: aws\n"):
        file = tmp_path / "Pulumi.copy.yaml"
        file.write_text(secret_config.readable(text))
        assert secret_config.missing(file) == []
        values = yaml.safe_load(file.read_text())["config"]
        assert set(values["jupyterhub:secrets"].values()) == {"0" * 64}
        assert "encryptionsalt" not in file.read_text()
    assert values.keys() == {"jupyterhub:platform", "jupyterhub:secrets"}
