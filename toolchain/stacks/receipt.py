"""What a destroy deleted, what it kept on purpose, and how to get that back or be rid of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from . import state as states

_NAMES_ONLY = ("pulumi:", "jupyterhub:")  # types that exist in the state alone


def lines(stack: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """The receipt."""
    left = {r["urn"] for r in states.resources(after)}
    gone = [r for r in _things(before) if r["urn"] not in left]
    outlived = [r for r in gone if states.outlives(r)]
    yield "Deleted: " + (_counted([r for r in gone if r not in outlived]) or "nothing")
    if outlived:
        yield "Left as they are: " + _counted(outlived)
    kept = list(_things(after))
    yield "Kept: " + ("" if kept else "nothing")
    for resource in kept:
        yield f"  {_kind(resource)} {_name(resource)}: {resource['id']}"
    if kept:
        yield f"The next make up STACK={stack} uses it again; make purge STACK={stack} deletes it."
        yield f"make kept STACK={stack} lists it, and how another stack adopts it."


def kept(stack: str, state: Mapping[str, Any]) -> Iterator[str]:
    """Everything that holds data, with its id and the lines that adopt it elsewhere."""
    held = [r for r in _things(state) if r.get("protect")]
    if not held:
        yield "This stack keeps nothing: it has no protected volumes."
    for resource in held:
        name = _name(resource).removesuffix("-store")
        yield f"{_kind(resource)} {name}: {resource['id']}"
        key = f"jupyterhub:volumes: {{{name}: {{volume: {resource['id']}}}}}"
        yield f"  adopt it in another stack: {key}"
        yield f"  delete it: set volumes.{name}.protect: false and make up STACK={stack},"
        yield f"    which deletes nothing yet, then all of the stack: make purge STACK={stack}"


def data(state: Mapping[str, Any]) -> list[str]:
    """Ids of everything that a purge takes data away with."""
    return [str(resource["id"]) for resource in _data(state) if not states.is_in_cluster(resource)]


def claims(state: Mapping[str, Any]) -> list[str]:
    """Ids of what holds data in a cluster, which a purge leaves."""
    return [str(resource["id"]) for resource in _data(state) if states.is_in_cluster(resource)]


def _data(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    volumes = ("docker:index/volume:Volume",)
    return [r for r in _things(state) if r.get("protect") or r["type"] in volumes]


def _things(state: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    return (r for r in states.resources(state) if not r["type"].startswith(_NAMES_ONLY))


def _kind(resource: Mapping[str, Any]) -> str:
    return str(resource["type"].rsplit(":", 1)[-1])


def _name(resource: Mapping[str, Any]) -> str:
    return str(resource["urn"].rsplit("::", 1)[-1])


def _counted(resources: list[dict[str, Any]]) -> str:
    counts = Counter(_kind(resource) for resource in resources)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
