"""Every block of settings in the documentation is previewed by the real engine."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkout import ROOT, Checkout

ANYWHERE = ("class.md", "how-to.md", "tutorial.md")  # the others are about one cloud each
_BLOCK = re.compile(r"^```yaml\n(  jupyterhub:.*?)^```", re.M | re.S)


def snippets() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in (ROOT / "docs" / name for name in ANYWHERE):
        for number, block in enumerate(_BLOCK.findall(file.read_text()), start=1):
            yield f"{file.name}-{number}", yaml.safe_load(textwrap.dedent(block))


FOUND = dict(snippets())


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path, "tsnippet", 11, {})


def test_there_are_snippets() -> None:
    assert len(FOUND) >= 11


@pytest.mark.parametrize("name", FOUND)
def test_it_is_previewed(checkout: Checkout, name: str) -> None:
    sections = {key.removeprefix("jupyterhub:"): value for key, value in FOUND[name].items()}
    if sections.get("hub", {}).get("login", {}).get("kind") == "oidc":
        sections["secrets"] = {"oidc_client_secret": "what the provider shows"}
    checkout.configure(**sections)
    report = checkout.make("preview", "ALONE=1")
    assert "✅ Preview of stack `tsnippet`" in report
    assert "| Container `hub` | create |" in report
    is_shared = "shared_origin" in sections.get("hub", {})
    assert ("Note: hub.shared_origin: with " in report) == is_shared
