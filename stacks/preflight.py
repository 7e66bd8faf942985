"""Asks the cloud, before anything is made, whether it will work."""

from __future__ import annotations

from components.config import StackConfig


def check(deployment: str, config: StackConfig) -> None:
    """Refuses what can't work, in the shape of a mistake in the stack file."""
