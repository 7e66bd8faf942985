"""A hub's name that doesn't point to the hub."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from toolchain.setup.steps import Problem
from toolchain.stacks import pointing


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


def facts(**more: Any) -> dict[str, Any]:
    """Of a machine that exists, with a certificate of Let's Encrypt."""
    return {
        "names": ["hub.example.org"],
        "asks_lets_encrypt": True,
        "address": "198.51.100.7",
        "has_fixed_address": False,
        "docker": None,
    } | more


def running(*types: str, ssh: str = "") -> dict[str, Any]:
    """A state with these resources, and a machine that is reached by ssh."""
    found: list[dict[str, Any]] = [{"type": each, "urn": each} for each in types]
    if ssh:
        way = {"user": "u", "address": ssh, "port": 22, "options": []}
        gate = {
            "type": "pulumi:index:Stash",
            "urn": "urn:pulumi:s::p::t::vm-ready",
            "inputs": {"input": {"ssh": way}},
        }
        found.append(gate)
    return {"deployment": {"resources": found}}


def test_a_first_up_with_a_wrong_name_asks_no_authority(
    names: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    public = facts(address="8.8.8.8")
    with pytest.raises(Problem, match=r"has no address yet(.|\n)*says 8\.8\.8\.8(.|\n)*staging"):
        pointing.require(public, {})
    names["hub.example.org"] = "9.9.9.9"
    with pytest.raises(Problem, match=r"points to 9\.9\.9\.9, and the hub is at 8\.8\.8\.8"):
        pointing.require(public, {})
    for held_up_by_nothing in (
        (facts(address="8.8.8.8", asks_lets_encrypt=False), {}),
        (facts(address="10.0.0.8"), {}),  # behind a router: nobody here knows its outer address
        (public, running("jupyterhub:index:TraefikProxy")),
    ):
        pointing.require(*held_up_by_nothing)
        assert "! hub.example.org points to 9.9.9.9" in capsys.readouterr().out


def test_a_dns_that_does_not_answer_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(name: str, port: Any) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", away)
    (found,) = pointing.beforehand(facts(), {})
    assert (found.is_sure, "no DNS answers" in found.text) == (False, True)


def test_a_clouds_name_is_looked_at_when_its_address_is_known(names: dict[str, str]) -> None:
    cloud = facts(address=None, has_fixed_address=True)
    assert pointing.beforehand(cloud, {}) == []
    (found,) = pointing.beforehand(cloud, running(ssh="198.51.100.9"))
    assert "198.51.100.9" in found.text
    changing = facts(address=None)
    assert pointing.beforehand(changing, running(ssh="198.51.100.9")) == []
