"""Notices when users' data is not the data that was there before."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from . import kept

SENTINEL = ".pulumi-jupyterhub.json"
ACCEPT = "accept-empty"  # a file on the state volume, written by who wants to start anew


class VolumeLost(Exception):
    """A volume is not the one that it was. Its text says what to do."""


def check(state: Path, volumes: Mapping[str, Path]) -> None:
    """Compares each volume's id with the one remembered on the state volume.

    A volume seen for the first time gets an id. One that was there before and has none now is
    another one, or its disk isn't mounted: starting would show everybody an empty home.
    """
    memory = state / "volumes.json"
    known: dict[str, str] = kept.read(memory, {})
    accepted = _accepted(state)
    lost = [
        name
        for name, path in volumes.items()
        if name in known and name not in accepted and _id_of(path) != known[name]
    ]
    if lost:
        raise VolumeLost(_report(lost))
    found = {name: _id_of(path) or _mark(path) for name, path in volumes.items()}
    if found != known:
        kept.replace(memory, found)
    (state / ACCEPT).unlink(missing_ok=True)


def _accepted(state: Path) -> set[str]:
    file = state / ACCEPT
    return set(file.read_text().split()) if file.exists() else set()


def _report(lost: Iterable[str]) -> str:
    names = ", ".join(sorted(lost))
    return (
        f"The data of `{names}` is not what was there before: its volume was removed, or its disk "
        "is not mounted. Nothing was started and nothing was changed. Restore the volume from a "
        f"backup, or start with an empty one: make up ACCEPT_EMPTY={names.replace(', ', ',')}"
    )


def _id_of(volume: Path) -> str | None:
    try:
        return str(json.loads((volume / SENTINEL).read_text())["id"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _mark(volume: Path) -> str:
    identity = secrets.token_hex(8)
    kept.replace(volume / SENTINEL, {"id": identity, "what": "lets the hub notice a lost volume"})
    return identity
