"""What a stack's state says, and what has to be mended before the next `up`. Pure functions."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

State = Mapping[str, Any]
Container = Mapping[str, Any]


def resources(state: State) -> list[dict[str, Any]]:
    """The resources in an exported state."""
    return list((state.get("deployment") or {}).get("resources") or [])


def has_pending_operations(state: State) -> bool:
    """Whether an `up` was killed while it made something."""
    return bool((state.get("deployment") or {}).get("pending_operations"))


@dataclass(frozen=True)
class KeptVolume:
    """A volume that must not be lost."""

    short: str
    name: str
    urn: str


def kept_volumes(state: State) -> list[KeptVolume]:
    """The protected volumes."""
    return [
        KeptVolume(resource["urn"].rsplit("::", 1)[1], resource["id"], resource["urn"])
        for resource in resources(state)
        if resource["type"] == "docker:index/volume:Volume" and resource.get("protect")
    ]


def volumes(state: State) -> list[str]:
    """Names of all volumes."""
    return [r["id"] for r in resources(state) if r["type"] == "docker:index/volume:Volume"]


def orphans(state: State, containers: Iterable[Container]) -> list[Container]:
    """Containers of the deployment that the state doesn't know; users' servers are not among them."""
    known = {resource.get("id") for resource in resources(state)}
    return [
        container
        for container in containers
        if container["Id"] not in known
        and container["Labels"].get("pulumi-jupyterhub.role") != "user"
    ]


def orphan_networks(state: State, networks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Networks of the deployment that the state doesn't know."""
    known = {resource.get("id") for resource in resources(state)}
    return [network for network in networks if network["Id"] not in known]


def dead_locks(backend: str, stack: str) -> list[Path]:
    """Locks of processes on this machine that are no more."""
    if not backend.startswith("file://"):
        return []
    folder = Path(backend.removeprefix("file://")).expanduser() / ".pulumi" / "locks"
    return [lock for lock in folder.glob(f"**/{stack}/*.json") if _is_dead(lock)]


def _is_dead(lock: Path) -> bool:
    try:
        content = json.loads(lock.read_text())
        if content["hostname"] != socket.gethostname():
            return False
        os.kill(int(content["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError):
        return False
    return False
