"""A kubeconfig that names files is one that has them in it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from components.errors import ConfigError
from components.platforms.portable import portable


def kubeconfig(folder: Path, authority: str, key: str) -> Path:
    document = {
        "clusters": [
            {"name": "c", "cluster": {"server": "https://c", "certificate-authority": authority}}
        ],
        "users": [{"name": "u", "user": {"client-key": key}}, {"name": "none", "user": None}],
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(document))
    return file


def test_files_are_put_in_whether_their_path_is_relative_or_not(tmp_path: Path) -> None:
    for name in ("ca.crt", "key"):
        (tmp_path / name).write_text(f"content of {name}")
    made = yaml.safe_load(portable(kubeconfig(tmp_path, "ca.crt", str(tmp_path / "key"))))
    cluster, user = made["clusters"][0]["cluster"], made["users"][0]["user"]
    assert cluster.pop("server") == "https://c"
    assert {**cluster, **user} == {
        "certificate-authority-data": base64.b64encode(b"content of ca.crt").decode(),
        "client-key-data": base64.b64encode(b"content of key").decode(),
    }


def test_a_kubeconfig_that_has_all_in_it_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("# mine\nclusters: [{name: c, cluster: {server: https://c}}]\n")
    assert portable(file) == file.read_text()


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"which names .*ca\.crt, and that is not there"):
        portable(kubeconfig(tmp_path, "ca.crt", "key"))
