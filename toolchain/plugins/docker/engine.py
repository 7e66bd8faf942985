"""The connection to a Docker engine, opened when something first needs it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..provider.values import UNKNOWN, Values
from . import OFFICIAL
from .ssh_bridge import SshBridge

if TYPE_CHECKING:
    from docker import APIClient

DEFAULT_HOST = "unix:///var/run/docker.sock"
# Seconds; a build may be silent for as long as its longest step takes.
_ANSWER_TIMEOUT = 120
_STREAM_TIMEOUT = 3600
_SCHEMES = ("unix://", "ssh://", "tcp://", "http://")
_REFUSED = ("caMaterial", "certMaterial", "keyMaterial", "certPath", "context")


@dataclass(frozen=True)
class Settings:
    """The provider's configuration."""

    host: str = DEFAULT_HOST
    ssh_opts: tuple[str, ...] = ()
    registry_auth: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from the provider's inputs; nested ones arrive as JSON text."""
        plain = {key: _decoded(value) for key, value in values.items()}
        return cls(
            plain.get("host") or os.environ.get("DOCKER_HOST") or DEFAULT_HOST,
            tuple(plain.get("sshOpts") or ()),
            tuple(plain.get("registryAuth") or ()),
        )


def config_faults(values: Values) -> dict[str, str]:
    """What is wrong with the provider's inputs, by property."""
    faults = {
        key: f"{key} is not covered by the docker stand-in; {OFFICIAL}"
        for key in _REFUSED
        if values.get(key)
    }
    host = values.get("host")
    if host and host != UNKNOWN and not str(host).startswith(_SCHEMES):
        faults["host"] = f"host {host!r} must start with one of {', '.join(_SCHEMES)}"
    return faults


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in ("[", "{") else value


class Engine:
    """A Docker engine, with a client for each thread: calls run side by side."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._bridge = SshBridge(settings.host, settings.ssh_opts) if self._by_ssh else None
        self._lock = threading.Lock()
        self._version: str | None = None
        self._clients = threading.local()

    @property
    def _by_ssh(self) -> bool:
        return self.settings.host.startswith("ssh://")

    @property
    def host(self) -> str:
        """The address that the user knows the engine by."""
        return self.settings.host

    def client(self) -> APIClient:
        """This thread's client."""
        if not hasattr(self._clients, "usual"):
            self._clients.usual = self._connect(_ANSWER_TIMEOUT)
        return self._clients.usual

    def patient_client(self) -> APIClient:
        """A client for builds, pulls and pushes."""
        return self._connect(_STREAM_TIMEOUT)

    def _connect(self, timeout: int) -> APIClient:
        from docker import APIClient

        with self._lock:  # the first one asks for the engine's version, the others know it
            address = self._bridge.address() if self._bridge else self.settings.host
            try:
                client = APIClient(address, version=self._version or "auto", timeout=timeout)
            except Exception as error:
                if self._bridge:
                    raise self._bridge.explained(error) from error
                raise
            self._version = client.api_version
            return client

    def close(self) -> None:
        """Ends the way over ssh, if there is one."""
        if self._bridge:
            self._bridge.close()

    def credentials(self, reference: str) -> dict[str, str] | None:
        """Login for the registry of an image; None leaves it to the Docker configuration."""
        from docker.auth import resolve_repository_name

        registry, _ = resolve_repository_name(reference)
        for auth in self.settings.registry_auth:
            address = str(auth.get("address", "")).removeprefix("https://").rstrip("/")
            if address.split("/")[0] in (registry, f"index.{registry}") and auth.get("username"):
                return {"username": auth["username"], "password": auth.get("password", "")}
        return None
