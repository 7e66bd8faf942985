"""What a stack's state says, and what has to be mended before the next `up`. Pure functions."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .last_good import is_whole

# They stay on their engine when Pulumi deletes them: servers may run them.
IMAGES = ("docker:index/image:Image", "docker:index/remoteImage:RemoteImage")
SECRETS_FILE = "/etc/jupyterhub/secrets.json"  # in the hub's container
_WRITTEN_WITHIN = 5  # seconds

State = Mapping[str, Any]
Container = Mapping[str, Any]


def resources(state: State) -> list[dict[str, Any]]:
    """The resources in an exported state."""
    return list((state.get("deployment") or {}).get("resources") or [])


def engine_host(state: State) -> str | None:
    """The Docker host that the stack's containers are on, as long as there is one."""
    providers = (r for r in resources(state) if r["type"] == "pulumi:providers:docker")
    return next((provider["inputs"].get("host") for provider in providers), None)


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


def outlives(resource: Mapping[str, Any]) -> bool:
    """Whether it stays as it is when it leaves the state."""
    return bool(resource.get("retainOnDelete")) or resource["type"] in IMAGES


def released(state: State) -> dict[str, Any]:
    """The state in which nothing is protected, and what was is deleted, not only forgotten.

    But in a cluster: users' servers, which Pulumi doesn't know, hold claims.
    """
    left = [_free(r) if r.get("protect") else r for r in resources(state)]
    return {**state, "deployment": {**state.get("deployment", {}), "resources": left}}


def _free(resource: dict[str, Any]) -> dict[str, Any]:
    stays = is_in_cluster(resource) and resource.get("retainOnDelete")
    return resource | {"protect": False, "retainOnDelete": bool(stays)}


def is_in_cluster(resource: Mapping[str, Any]) -> bool:
    """Whether it is in a Kubernetes cluster."""
    return str(resource["type"]).startswith("kubernetes:")


def secrets_in_use(state: State) -> dict[str, str]:
    """The hub's secrets, as far as a state exported with plain values has them."""
    found: dict[str, Any] = {}
    for resource in resources(state):
        if resource["type"] == "pulumi:pulumi:Stack":  # stays after `down`
            found |= {key: unsealed(value) for key, value in resource.get("outputs", {}).items()}
        uploads = unsealed(resource.get("inputs", {}).get("uploads")) or []
        for upload in map(unsealed, uploads):
            if upload["file"] == SECRETS_FILE:
                found |= json.loads(unsealed(upload["content"]))
    return {name: value for name, value in found.items() if value and isinstance(value, str)}


def unsealed(value: Any) -> Any:
    """A value of a state, without the wrapping of a secret."""
    if isinstance(value, Mapping) and "plaintext" in value:
        return json.loads(value["plaintext"])
    return value


def orphans(state: State, containers: Iterable[Container]) -> list[Container]:
    """Containers that the state does not know; users' servers are not among them."""
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


@dataclass(frozen=True)
class Lock:
    """The lock of a `pulumi` that is, or was, at a stack."""

    pid: int
    here: bool  # whether it runs, or ran, on this machine

    @property
    def is_dead(self) -> bool:
        """Whether its process is no more; of another machine's nobody knows."""
        return self.here and not _is_pulumi(self.pid)


def _is_pulumi(pid: int) -> bool:
    """Whether a process is there and is a `pulumi`: after a reboot its number is another's."""
    try:
        return "pulumi" in Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return False


def locks(backend: str, stack: str) -> list[Lock]:
    """The locks on a stack of a file backend."""
    return [lock for file in _lock_files(backend, stack, "*.json") if (lock := _read(file))]


def half_written_locks(backend: str, stack: str) -> list[Path]:
    """What a killed run, or a full disk, left of a lock: no `pulumi` gets past it."""
    return [
        file
        for file in _lock_files(backend, stack, "*")
        if time.time() - file.stat().st_mtime > _WRITTEN_WITHIN and not is_whole(file)
    ]


def _lock_files(backend: str, stack: str, names: str) -> list[Path]:
    if not backend.startswith("file://"):
        return []
    folder = Path(backend.removeprefix("file://")).expanduser() / ".pulumi" / "locks"
    return list(folder.glob(f"**/{stack}/{names}"))


def _read(file: Path) -> Lock | None:
    try:
        content = json.loads(file.read_text())
        return Lock(int(content["pid"]), content["hostname"] == socket.gethostname())
    except (OSError, ValueError, KeyError):
        return None  # gone meanwhile
