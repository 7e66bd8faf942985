"""Args of users' servers: images, and how large they may get."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ..args import Args, Bytes, InputStr, field
from ..images import ImageArgs
from .effects import NEXT_START


class LimitsArgs(Args):
    """What one server may use of the host, and what is kept for it."""

    memory_limit: Bytes | None = field(
        "2G",
        ge=128 * 1024**2,
        unit="bytes, or text like `2G`",
        description="A server that needs more is ended. `null`: no limit.",
        change=NEXT_START,
    )
    memory_guarantee: Bytes = field(
        "256M",
        ge=0,
        unit="bytes, or text like `256M`",
        description="Kept free for each server; a start that the host has no room for is refused.",
        change=NEXT_START,
    )
    cpu_limit: float | None = field(
        None,
        gt=0,
        unit="cores",
        description="Most that one server may use. `null`: all.",
        change=NEXT_START,
    )
    cpu_guarantee: float = field(
        0,
        ge=0,
        unit="cores",
        description="Kept free for each server; a start that the host has no room for is refused.",
        change=NEXT_START,
    )
    swap: Bytes = field(
        0,
        ge=0,
        unit="bytes, or text like `1G`",
        description="Swap that one server may use besides, where the host has some.",
        change=NEXT_START,
    )
    gpus: int = field(
        0,
        ge=0,
        le=16,
        description=(
            "GPUs of its own, by device; a start is refused while all are taken. Needs a host "
            "with NVIDIA's driver and container toolkit (`software.gpu_driver`)."
        ),
        change=NEXT_START,
    )
    processes: int = field(
        1024, ge=32, description="Most processes and threads of one server.", change=NEXT_START
    )
    shared_memory: Bytes = field(
        "512M",
        ge=1024**2,
        unit="bytes, or text like `512M`",
        description="Size of /dev/shm, counted as memory when used (PyTorch's loaders need it).",
        change=NEXT_START,
    )

    @model_validator(mode="after")
    def _guarantees_fit(self) -> Self:
        if self.memory_limit and int(self.memory_guarantee) > int(self.memory_limit):
            raise ValueError("memory_guarantee must not be above memory_limit")
        if self.cpu_limit and self.cpu_guarantee > self.cpu_limit:
            raise ValueError("cpu_guarantee must not be above cpu_limit")
        if self.swap and self.memory_limit is None:
            raise ValueError("swap is counted with memory: it needs a memory_limit")
        return self


class ServerSizeArgs(LimitsArgs):
    """A size that users can choose."""

    title: str = field(
        min_length=1,
        max_length=60,
        description="What the spawn page calls it.",
        change=NEXT_START,
    )
    description: str = field("", description="A line for the spawn page.", change=NEXT_START)


class NotebookImageArgs(LimitsArgs):
    """An image that users can start: anything with `jupyterhub-singleuser` in it.

    Its limits hold where the hub offers no `sizes`.
    """

    title: str = field(
        "Python",
        min_length=1,
        max_length=60,
        description="What the spawn page calls it. The page is skipped when there is one image.",
        change=NEXT_START,
    )
    description: str = field(
        "", description="A line for the spawn page: what is in it.", change=NEXT_START
    )
    source: ImageArgs = field(
        description="Where the image comes from: `bundled`, `reference` or `build`.",
        change=NEXT_START,
    )
    uid: int = field(
        1000,
        ge=1,
        description="User id in the image; homes belong to it. Root is refused.",
        change=NEXT_START,
    )
    gid: int = field(100, ge=1, description="Group id in the image.", change=NEXT_START)
    home: str = field(
        "/home/jovyan",
        pattern=r"^/[\w./-]+$",
        description="Home folder in the image; the user's kept files appear there.",
        change=NEXT_START,
    )
    size: str | None = field(
        None,
        description="The size that the page proposes with it. Default: the first of `hub.sizes`.",
        change=NEXT_START,
    )
    command: list[str] = field(
        ["jupyterhub-singleuser"],
        min_length=1,
        description="Command that starts the server.",
        change=NEXT_START,
    )
    environment: dict[str, InputStr] = field(
        {}, description="Environment variables of the server; no secrets.", change=NEXT_START
    )
