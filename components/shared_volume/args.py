"""Args of SharedVolume."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ..args import Args, field


class SharedVolumeArgs(Args):
    """Storage that outlives what uses it: homes, shared folder, hub state, certificates."""

    volume: str | None = field(
        None,
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$",
        description="Name of an existing volume to adopt. Default: one named after the stack.",
        change="refused while the old one is protected; nothing is copied between the two",
    )
    path: str | None = field(
        None,
        pattern=r"^/\S+$",
        description="Existing directory on the host to keep the data in, instead of a volume.",
        change="refused while the old one is protected; nothing is copied between the two",
    )
    protect: bool = field(
        True,
        description="Refuse to delete this volume. `make down` keeps protected volumes.",
        change="nothing on the running system; decides what the next `make down` keeps",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.volume and self.path:
            raise ValueError("give either `volume` (adopt by name) or `path`, not both")
        return self
