"""Every stack file that comes with the project is valid, and every platform has one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from components import config
from components.config import Platform

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "stacks/catalogue").glob("*.yaml"))
SECRETS = {
    name: {"secure": "x"}
    for name in (
        *("class_password", "admin_password", "cookie_secret", "crypt_key", "roster_key"),
        *("cluster_token", "oidc_client_secret"),
    )
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_is_valid(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / ".ssh" / "id_ed25519"
    key.parent.mkdir()
    key.touch()
    (tmp_path / "class.csv").write_text("name\nanna\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").symlink_to(ROOT / "images")
    document = yaml.safe_load(file.read_text())
    document["config"]["jupyterhub:secrets"] = SECRETS
    copy = tmp_path / file.name
    copy.write_text(yaml.safe_dump(document))
    config.read_file(copy)


def test_every_platform_has_a_stack() -> None:
    names = {file.stem for file in FILES}
    assert names >= {platform.value for platform in Platform}


def test_every_file_that_a_document_names_is_there() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([\w./-]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
