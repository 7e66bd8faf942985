"""The two documents that the hub is told: settings, and secrets. Made by the component's args."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

SETTINGS = Path("/etc/jupyterhub/settings.json")
SECRETS = Path("/etc/jupyterhub/secrets.json")
GUARD = Path("/etc/jupyterhub/guard.json")


class Document(BaseModel):
    """Base of the documents: what isn't known here is a mistake, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Hub(Document):
    """Where the hub listens: the users' network's gateway address."""

    address: str
    port: int


class Proxy(Document):
    """Where Traefik is, and the file that the hub writes its rules to."""

    api_url: str
    entry_point: str
    rules_file: str
    public_url: str


class LoginKind(str, Enum):
    """How users prove who they are."""

    class_password = "class_password"
    roster = "roster"


class Login(Document):
    """Who may log in, and how."""

    kind: LoginKind
    admins: list[str]
    users: list[str]


class Image(Document):
    """An image that users can start, with its limits (bytes, cores)."""

    title: str
    description: str
    image: str
    user: str
    home: str
    memory_limit: int | None
    memory_guarantee: int
    cpu_limit: float | None
    shm_size: int
    pids_limit: int
    command: list[str]
    environment: dict[str, str]

    @property
    def owner(self) -> tuple[int, int]:
        """User and group id that homes belong to."""
        uid, gid = self.user.split(":")
        return int(uid), int(gid)


class Volume(Document):
    """A Docker volume with users' data."""

    volume: str


class Network(Document):
    """The users' network, and what of the host it may reach."""

    name: str
    subnet: str
    gateway: str
    bridge: str
    open_ports: list[int]
    extra_bridges: list[str]


class Culling(Document):
    """When servers that nobody uses are stopped (seconds)."""

    enabled: bool
    timeout: int
    every: int
    max_age: int
    cull_busy: bool


class Spawn(Document):
    """How many servers start at a time (0: cores + 1), and how long one may take (seconds)."""

    concurrency: int
    start_timeout: int


class Settings(Document):
    """Everything the hub is told but its secrets."""

    deployment: str
    title: str
    hub: Hub
    proxy: Proxy
    login: Login
    images: list[Image]
    volumes: dict[str, Volume]
    network: Network
    culling: Culling
    memory_reserve: int
    spawn: Spawn
    environment: dict[str, str]
    cloud_storage: str | None = None  # folder of the host with mounted buckets


class Secrets(Document):
    """The hub's secrets."""

    class_password: SecretStr | None = None
    admin_password: SecretStr | None = None
    cookie_secret: SecretStr
    crypt_key: SecretStr
    roster_key: SecretStr | None = None


class GuardSettings(Document):
    """What the guard is told."""

    deployment: str
    network: Network


def load_settings() -> Settings:
    """The hub's settings."""
    return Settings.model_validate_json(SETTINGS.read_bytes())


def load_secrets() -> Secrets:
    """The hub's secrets."""
    return Secrets.model_validate_json(SECRETS.read_bytes())


def load_guard() -> GuardSettings:
    """The guard's settings."""
    return GuardSettings.model_validate_json(GUARD.read_bytes())
