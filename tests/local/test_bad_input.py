"""Each mistake is answered with one clear message, before or at the step that it concerns."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.checkout import Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path, "tbad", 5, {})


def test_all_mistakes_at_once_and_nothing_touched(checkout: Checkout) -> None:
    checkout.configure(proxy={"http_prt": 1}, hub={"admins": "teacher", "spawn_concurrency": -1})
    printed = checkout.make("up", check=False)
    assert "has 3 mistakes. Nothing was changed." in printed
    assert "jupyterhub:proxy.http_prt: unknown key. Did you mean `http_port`?" in printed
    assert "jupyterhub:hub.admins: found 'teacher'" in printed
    assert "jupyterhub:hub.spawn_concurrency: found -1" in printed
    assert checkout.containers() == []


def test_plain_pulumi_says_the_same(checkout: Checkout) -> None:
    checkout.make("setup")
    checkout.configure(proxy={"http_prt": 1})
    printed = checkout.pulumi("preview", "--stack", checkout.stack, check=False)
    assert "jupyterhub:proxy.http_prt: unknown key. Did you mean `http_port`?" in printed
    assert "Traceback" not in printed


def test_a_port_that_is_taken(checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", checkout.port)):
        printed = checkout.make("up", check=False)
    assert f"Port {checkout.port} on 127.0.0.1 can't be used (Address already in use)" in printed
    assert "jupyterhub:proxy.http_port" in printed
    assert checkout.containers() == []


def test_no_engine(checkout: Checkout, tmp_path: Path) -> None:
    checkout.configure(docker={"host": f"unix://{tmp_path}/none.sock"})
    printed = checkout.make("up", check=False)
    assert f"No Docker engine answers at {tmp_path}/none.sock" in printed


def test_no_such_stack(checkout: Checkout) -> None:
    printed = checkout.make("up", "STACK=nowhere", check=False)
    assert "There is no stacks/Pulumi.nowhere.yaml, and no nowhere in stacks/catalogue." in printed
    assert "make new STACK=nowhere FROM=local" in printed


def test_an_image_that_does_not_build(checkout: Checkout) -> None:
    folder = checkout.root / "images" / "broken"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM debian:bookworm-slim\nRUN echo too bad && false\n")
    checkout.configure(hub={"images": [{"title": "Broken", "source": {"build": "images/broken"}}]})
    try:
        printed = checkout.make("up", check=False)
        assert "image-broken" in printed
        assert "too bad" in printed
    finally:
        checkout.make("purge", "YES=1")


def test_an_image_that_cannot_be_found(checkout: Checkout) -> None:
    reference = "registry.invalid/nothing:1"
    checkout.configure(hub={"images": [{"title": "Nothing", "source": {"reference": reference}}]})
    try:
        printed = checkout.make("up", check=False)
        assert reference in printed
    finally:
        checkout.make("purge", "YES=1")


def test_purge_asks_first(checkout: Checkout) -> None:
    checkout.make("setup")
    printed = checkout.make("purge", check=False)
    assert "Nothing was deleted. Without a terminal: make purge YES=1" in printed
    checkout.make("purge", "YES=1")
    assert "There is no stack tbad yet" in checkout.make("outputs", check=False)
