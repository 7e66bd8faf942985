"""Where people review changes: one comment a report, one issue a drift. GitHub and GitLab."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from .api import ForgeError

__all__ = ["ForgeError", "here", "marked"]

_FORGES = {"GITHUB_ACTIONS": "github", "GITLAB_CI": "gitlab"}


def here() -> Any:
    """The forge whose CI this runs in: a module with `comment`, `issue`, `close`, `description`
    and `propose`."""
    for variable, name in _FORGES.items():
        if os.environ.get(variable):
            return import_module(f".{name}", __package__)
    raise ForgeError(
        "This is neither GitHub Actions nor GitLab CI: there is nowhere to write to. The report is "
        "in its file."
    )


def marked(text: str, marker: str) -> str:
    """The text with an invisible mark, by which it is found again."""
    return f"{mark(marker)}\n{text}"


def mark(marker: str) -> str:
    """An HTML comment, which no page shows."""
    return f"<!-- pulumi-jupyterhub: {marker} -->"
