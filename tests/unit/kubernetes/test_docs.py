"""Every block of settings about clusters in the documentation is a valid one."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import pytest
import yaml

from components.config import parse
from tests.unit.kubernetes.test_hub_values import HUB, MINIMAL, PYTHON
from tests.unit.test_stack_files import ROOT

_BLOCK = re.compile(r"^```yaml\n(  jupyterhub:.*?)^```", re.M | re.S)
BLOCKS = [
    yaml.safe_load(textwrap.dedent(block))
    for block in _BLOCK.findall((ROOT / "docs" / "kubernetes.md").read_text())
]


def test_there_are_some() -> None:
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: next(iter(block)).partition(":")[2])
def test_it_is_valid(block: dict[str, Any]) -> None:
    hub = {"login": {"users": ["anna"]}, "image": HUB, "images": [PYTHON]}
    secrets = MINIMAL["secrets"] | {"grafana_password": "0" * 64}
    own = {key.removeprefix("jupyterhub:"): value for key, value in block.items()}
    parse(MINIMAL | {"hub": hub, "secrets": secrets} | own, "docs/kubernetes.md")
