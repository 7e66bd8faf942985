"""The two documents that the hub is told: settings, and secrets. Made by the component's args."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from . import names

SETTINGS = Path("/etc/jupyterhub/settings.json")
SECRETS = Path("/etc/jupyterhub/secrets.json")
GUARD = Path("/etc/jupyterhub/guard.json")


def _named(grammar: re.Pattern[str]) -> AfterValidator:
    def check(name: str) -> str:
        if not grammar.match(name):
            raise ValueError(f"not a name: {name!r}")
        return name

    return AfterValidator(check)


DeploymentName = Annotated[str, _named(names.DEPLOYMENT)]
GroupName = Annotated[str, _named(names.GROUP)]


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


class LoginKind(str, Enum):
    """How users prove who they are."""

    class_password = "class_password"
    roster = "roster"
    signup = "signup"
    oidc = "oidc"
    lti13 = "lti13"


class Endpoints(Document):
    """Addresses of a provider without discovery."""

    authorize: str
    token: str
    userinfo: str


class Oidc(Document):
    """A provider of OpenID Connect (or OAuth 2, with its endpoints), and who may come in."""

    name: str
    issuer: str | None
    endpoints: Endpoints | None
    client_id: str
    scopes: list[str]
    username_claims: list[str]
    fold_case: bool
    groups_claim: str
    groups_url: str | None
    groups_item: str | None
    everyone: bool
    users: list[str]
    groups: list[str]
    domains: list[str]
    admin_groups: list[str]


class Lti13(Document):
    """A learning platform."""

    issuer: str
    authorize_url: str
    jwks_url: str
    client_id: str
    deployments: list[str]
    contexts: list[str]
    every_course: bool
    username_claim: str
    teachers_are_admins: bool


class Login(Document):
    """Who may log in, and how."""

    kind: LoginKind
    admins: list[str]
    users: list[str]
    approval: bool = True  # of those who sign up
    oidc: Oidc | None = None
    lti13: Lti13 | None = None

    @property
    def provider(self) -> str | None:
        """What tells the ids of accounts, where something does."""
        if oidc := self.oidc:
            return oidc.endpoints.token if oidc.endpoints else oidc.issuer
        return self.lti13.issuer if self.lti13 else None


class Limits(Document):
    """What one server may use, and what is kept for it (bytes, cores)."""

    memory: int | None
    memory_guarantee: int
    swap: int
    cpu: float | None
    cpu_guarantee: float
    gpus: int
    shm_size: int
    pids: int


class Size(Document):
    """A size that users can choose."""

    title: str
    description: str
    limits: Limits


class Image(Document):
    """An image that users can start. Its own limits hold where there are no sizes."""

    title: str
    description: str
    image: str
    user: str
    home: str
    limits: Limits
    size: str | None
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
    """The users' network, and what it may reach of the host and of private addresses."""

    name: str
    subnet: str
    gateway: str
    bridge: str
    open_ports: list[int]
    extra_bridges: list[str]
    reach: list[str]


class Culling(Document):
    """When servers that nobody uses are stopped (seconds)."""

    enabled: bool
    timeout: int
    every: int
    max_age: int
    cull_busy: bool

    @property
    def report_every(self) -> int:
        """How often servers say that they are used, so that the culler isn't misled."""
        return max(1, min(300, self.timeout // 4))

    @property
    def environment(self) -> dict[str, str]:
        """What servers are told: how often to report, and what their warning and their own look
        for work need (images/notebook/culling.py)."""
        often = {"JUPYTERHUB_ACTIVITY_INTERVAL": str(self.report_every)}
        if not self.enabled:
            return often
        return often | {
            "CULLING_TIMEOUT": str(self.timeout),
            "CULLING_MAX_AGE": str(self.max_age),
            "CULLING_BUSY": "true" if self.cull_busy else "false",
        }


class Spawn(Document):
    """How many servers start at a time (0: cores + 1), and how long one may take (seconds)."""

    concurrency: int
    start_timeout: int


class Group(Document):
    """People with a folder, and maybe a server, in common."""

    members: list[str]
    hub_groups: list[str]  # JupyterHub's, of the login's provider or the admin page
    together: bool
    image: str | None  # of the common server
    size: str | None

    def has(self, user: Any) -> bool:
        """Whether a user of JupyterHub's is a member."""
        return user.name in self.members or any(g.name in self.hub_groups for g in user.groups)


class Files(Document):
    """What users find in their homes besides their own files; volumes by their names."""

    groups: dict[GroupName, Group]
    examples: str | None
    disk_quota: int | None  # bytes a user, and a group
    collect: str | None
    scratch: str | None
    cvmfs: bool


class Engine(Document):
    """What only a hub on a Docker engine is told: on Kubernetes the chart's values say it."""

    hub: Hub
    proxy: Proxy
    volumes: dict[str, Volume]
    network: Network
    memory_reserve: int
    spawn: Spawn
    cloud_storage: str | None = None  # the volume that buckets are mounted in


class Settings(Document):
    """Everything the hub is told but its secrets."""

    deployment: DeploymentName
    title: str
    public_url: str
    subdomains: bool
    engine: Engine | None  # none on Kubernetes
    login: Login
    images: list[Image]
    sizes: list[Size]
    named_servers: int
    culling: Culling
    files: Files
    announcement: str
    admin_access: bool
    environment: dict[str, str]


class Secrets(Document):
    """The hub's secrets."""

    class_password: SecretStr | None = None
    admin_password: SecretStr | None = None
    cookie_secret: SecretStr
    crypt_key: SecretStr
    roster_key: SecretStr | None = None
    oidc_client_secret: SecretStr | None = None
    database_url: SecretStr | None = None  # none: SQLite


class GuardSettings(Document):
    """What the guard is told."""

    deployment: DeploymentName
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
