"""How many servers a host carries: settings that follow from it, and what to warn of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .args import JupyterHubHostArgs
from .servers import LimitsArgs

GIB = 1024**3
START_CPU = 2.0  # core seconds that one server's start takes (docs/benchmarks.md)
PATIENCE = 60.0  # seconds that a class waits without complaint
IDLE_SERVER = 102 * 1024**2  # bytes of an idle user's server (docs/benchmarks.md)


@dataclass(frozen=True)
class HostSize:
    """What a host has.

    Attributes:
        cpus: cores; memory: bytes; gpus: how many.
    """

    cpus: int
    memory: int
    gpus: int = 0


@dataclass(frozen=True)
class Sizing:
    """What a class needs of a host.

    Attributes:
        spawn_concurrency: servers that should start at the same time; more only wait longer each.
        fits: servers of this size that the host's guarantees have room for.
        all_started: seconds until everybody has a server, when all come at once.
        needed: bytes of memory that this many servers are promised, with what is kept for the host.
    """

    spawn_concurrency: int
    fits: int
    all_started: float
    needed: int


def sizing(users: int, size: LimitsArgs, host: HostSize, reserve: int) -> Sizing:
    """What a class of `users` needs on a host; `reserve` is kept from servers (bytes)."""
    fits = [users * 1000]
    if guarantee := int(size.memory_guarantee):
        fits.append(max(0, host.memory - reserve) // guarantee)
    if size.cpu_guarantee:
        fits.append(int(host.cpus / size.cpu_guarantee))
    if size.gpus:
        fits.append(host.gpus // size.gpus)
    return Sizing(
        spawn_concurrency=host.cpus + 1,
        fits=min(fits),
        all_started=users * START_CPU / host.cpus,
        needed=reserve + users * int(size.memory_guarantee),
    )


def warnings(args: JupyterHubHostArgs, host: HostSize) -> Iterator[str]:
    """What won't work on this host, a sentence each."""
    reserve = int(args.memory_reserve)
    for title, size in offered(args):
        if size.memory_limit and int(size.memory_limit) > host.memory - reserve:
            yield (
                f"{title}: a memory_limit of {_gib(int(size.memory_limit))} GiB is more than this "
                f"host has for servers ({_gib(host.memory - reserve)} GiB): it protects nobody"
            )
        if sizing(1, size, host, reserve).fits < 1:
            yield f"{title}: not even one server of this size fits on the host"
    if args.class_size is None:
        return
    title, size = offered(args)[0]
    found = sizing(args.class_size, size, host, reserve)
    if found.fits < args.class_size:
        yield (
            f"a class of {args.class_size} does not fit: {found.fits} servers of `{title}` do. "
            f"{args.class_size} need {_gib(found.needed)} GiB of memory in the host, which has "
            f"{_gib(host.memory)}; or lower memory_guarantee (an idle server takes "
            f"{IDLE_SERVER // 1024**2} MiB)"
        )
    if found.all_started > PATIENCE:
        yield (
            f"when all {args.class_size} come at once, the last one waits "
            f"{found.all_started:.0f} seconds: more cores shorten it"
        )


def offered(args: JupyterHubHostArgs) -> list[tuple[str, LimitsArgs]]:
    """Sizes that users can get, the proposed one first."""
    if not args.sizes:
        return [(image.title, image) for image in args.images]
    proposed = args.images[0].size or args.sizes[0].title
    ordered = sorted(args.sizes, key=lambda size: size.title != proposed)
    return [(size.title, size) for size in ordered]


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"
