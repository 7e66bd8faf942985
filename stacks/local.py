"""A hub on one Docker engine: this machine's, or another's that is ready for it over ssh."""

from __future__ import annotations

from typing import Any

from components import DockerHost, SharedVolume
from components.config import StackConfig
from components.shared_volume.args import KEPT

from . import hub


def compose(stack: str, config: StackConfig) -> dict[str, Any]:
    """Makes everything and returns the stack's outputs."""
    host = DockerHost.connect(f"jupyterhub-{stack}", config.docker)
    kept = {name: SharedVolume(name, getattr(config.volumes, name), host) for name in KEPT}
    return hub.compose(stack, config, host, kept)
