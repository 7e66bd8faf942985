"""An image is built, pushed to a real registry, joined, pulled by its digest."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.checkout import ENGINE, Checkout
from tests.client import eventually
from toolchain.setup import go, paths

REGISTRY = "3.0.0"
IMAGE = "hub"  # built by the tests of hubs, too: its layers are there


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The registry that Docker's own is made of, on loopback."""
    program = paths.cache() / f"registry-{REGISTRY}" / "registry"
    if not program.exists():
        with go.workspace() as folder:
            source = Path(folder) / "source"
            go.module("github.com/distribution/distribution/v3", REGISTRY, source)
            shutil.rmtree(source / "vendor")  # published without its content
            go.build(source, "./cmd/registry", "", program, "building the registry", cgo=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder = tmp_path_factory.mktemp("registry")
    settings = folder / "config.yml"
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: {address}}}\nlog: {{level: error}}\n"
    )
    quiet = os.environ | {"OTEL_TRACES_EXPORTER": "none"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([program, "serve", settings], env=quiet, stderr=log)
    try:
        assert eventually("the registry", lambda: answers(address), 20)
        yield address
    finally:
        server.terminate()
        server.wait()


def answers(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/v2/", timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("publish"), "tpublish", 14, {})


def test_built_pushed_joined_and_pinned(checkout: Checkout, registry: str, tmp_path: Path) -> None:
    one, whole = tmp_path / "one", tmp_path / "whole"
    where = (f"IMAGE={IMAGE}", f"REGISTRY={registry}/o/r")
    checkout.make("publish", *where, f"OUT={one}")
    checkout.make("publish", *where, f"JOIN={one.read_text().strip()}", f"OUT={whole}")
    reference = whole.read_text().strip()
    assert reference.startswith(f"{registry}/o/r/{IMAGE}@sha256:")
    assert reference != one.read_text().strip()
    pulled = ENGINE.images.pull(reference)
    assert pulled.id == ENGINE.images.get(one.read_text().strip()).id
    labels = ENGINE.containers.run(pulled.id, ["python3", "-c", "import hubkit"], remove=True)
    assert labels == b""
    checkout.make("pin", f"IMAGE={IMAGE}", f"REFERENCE={reference}")
    assert reference in checkout.file.read_text()
    checkout.make("setup")  # the stack file is still a good one
    for name in (reference, one.read_text().strip()):
        ENGINE.images.remove(name)


def test_faults_are_one_clear_error(checkout: Checkout, tmp_path: Path) -> None:
    assert "There is no images/nope. Images here: dask, desktop, hub" in checkout.make(
        "publish", "IMAGE=nope", "REGISTRY=127.0.0.1:1/o", check=False
    )
    assert "Where to?" in checkout.make("publish", "IMAGE=hub", check=False)
    assert "docker push failed" in checkout.make(
        "publish", "IMAGE=hub", "REGISTRY=127.0.0.1:1/o", check=False
    )
    before = checkout.file.read_text()
    assert "allowed: a name with a digest" in checkout.make(
        "pin", "IMAGE=hub", "REFERENCE=ghcr.io/a/hub:latest", check=False
    )
    assert checkout.file.read_text() == before


def test_without_its_scanner_a_scan_is_no_silent_success(checkout: Checkout) -> None:
    where = ("IMAGE=hub", "REGISTRY=127.0.0.1:1/o")
    assert "trivy is not on this machine" in checkout.make("publish", "SCAN=1", *where, check=False)


def test_a_finding_stops_it_before_the_push(checkout: Checkout, tmp_path: Path) -> None:
    """A stand-in for the scanner: its database can't be had here."""
    scanner = tmp_path / "trivy"
    scanner.write_text('#!/bin/sh\necho "CVE-0000 in $*"\nexit 1\n')
    scanner.chmod(0o755)
    path = checkout.environment["PATH"]
    checkout.environment["PATH"] = f"{tmp_path}:{path}"
    try:
        printed = checkout.make(
            "publish", "SCAN=1", "IMAGE=hub", "REGISTRY=127.0.0.1:1/o", check=False
        )
    finally:
        checkout.environment["PATH"] = path
    assert "CVE-0000" in printed
    assert "has critical vulnerabilities that have a fix" in printed
    assert "docker push" not in printed
