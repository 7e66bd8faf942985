"""What CI scans besides what it builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.stacks import pulled

STACK = """config:
  jupyterhub:proxy: {image: 'traefik:v3.8.1', http_port: 80}
  jupyterhub:vm: {image: debian-12}
  jupyterhub:hub:
    image: {reference: ghcr.io/you/hubs/hub@sha256:0a1b}
    images:
    - {title: Python, source: {build: images/notebook}}
    - title: R
      source:
        reference: "quay.io/jupyter/r-notebook:2026-09-01"
    # source: {reference: quay.io/old/one:1}
"""


def test_base_images_and_what_stack_files_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stacks/catalogue").mkdir(parents=True)
    (tmp_path / "stacks/Pulumi.class.yaml").write_text(STACK)
    (tmp_path / "stacks/catalogue/x.yaml").write_text("image: {reference: ghcr.io/you/hub:latest}")
    monkeypatch.setattr(pulled.paths, "ROOT", tmp_path)
    assert pulled.references() == [
        pulled.base_images.DEBIAN,
        pulled.base_images.TRAEFIK,
        "ghcr.io/you/hubs/hub@sha256:0a1b",
        "quay.io/jupyter/r-notebook:2026-09-01",
        "traefik:v3.8.1",
    ]
