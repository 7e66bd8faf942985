"""A hub's name that doesn't point to the hub."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from toolchain import pointing


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What DNS says."""
    known: dict[str, str] = {}

    def look(name: str, port: Any) -> list[Any]:
        if name not in known:
            raise socket.gaierror("unknown")
        return [(socket.AF_INET, 1, 6, "", (known[name], 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look)
    return known


def test_a_name_that_points_here_is_no_news(names: dict[str, str]) -> None:
    names["hub.example.org"] = "198.51.100.7"
    assert pointing.trouble("https://hub.example.org", "198.51.100.7") is None
    assert pointing.trouble("https://198.51.100.7.nip.io", "198.51.100.7") is not None
    assert pointing.trouble("http://127.0.0.1:8000", None) is None
    names["hub.example.org"] = "127.0.0.1"
    assert pointing.trouble("https://hub.example.org", None) is None


def test_a_name_that_points_elsewhere_is_told_with_both(names: dict[str, str]) -> None:
    names["hub.example.org"] = "192.0.2.1"
    told = pointing.trouble("https://hub.example.org:8443", "198.51.100.7") or ""
    assert "points to 192.0.2.1, and the hub is at 198.51.100.7" in told


def test_a_name_without_an_address_is_told(names: dict[str, str]) -> None:
    told = pointing.trouble("https://hub.example.org", "198.51.100.7") or ""
    assert "has no address yet" in told
    assert "198.51.100.7" in told
