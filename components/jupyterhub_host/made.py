"""What every platform file of JupyterHubHost returns."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class Made:
    """A hub: its users' network and the host's address on it (Docker), and the images it offers."""

    network: pulumi.Output[str] | None
    gateway: pulumi.Output[str] | None
    notebook_images: pulumi.Output[list[str]]
