"""Args of JupyterHubHost."""

from __future__ import annotations

import csv
import ipaddress
import re
from enum import Enum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from ..args import Args, Bytes, InputSecret, InputStr, field, matching
from ..images import ImageArgs, bundled_image

_USER_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,62}")
_HUB_REPLACED = "replaces the hub container: some seconds without new logins; servers go on"
_NEXT_START = "replaces the hub container; running servers get it when their user restarts"


def _default_image() -> NotebookImageArgs:
    return NotebookImageArgs(source=ImageArgs(build=bundled_image("notebook")))


def _user_name(name: str) -> str:
    """Names that are safe in URLs, in proxy rules and as folder names (see hubkit.names)."""
    if not _USER_NAME.fullmatch(name):
        raise ValueError(
            "a name of 1 to 63 small letters, digits and . _ @ + -, starting with a letter or digit"
        )
    return name


UserName = Annotated[str, AfterValidator(_user_name)]


class LoginKind(str, Enum):
    """How users prove who they are."""

    class_password = "class_password"
    roster = "roster"


class LoginArgs(Args):
    """Who may log in, and how."""

    kind: LoginKind = field(
        LoginKind.class_password,
        description=(
            "`class_password`: one password for everybody, who can therefore be anybody: for your "
            "own machine. `roster`: a list of names, a password each."
        ),
        change=_HUB_REPLACED + "; homes are kept by name",
    )
    users: list[UserName] = field(
        [],
        description="Names that may log in, with `roster`.",
        change=_HUB_REPLACED + "; a removed name is logged out, its files are kept",
    )
    file: Path | None = field(
        None,
        description="CSV file of more names in its first column (a header `name` is skipped).",
        change=_HUB_REPLACED + "; a removed name is logged out, its files are kept",
    )

    @model_validator(mode="after")
    def _names_fit_kind(self) -> Self:
        if self.kind is LoginKind.class_password and (self.users or self.file):
            raise ValueError("`users` and `file` go with kind `roster`")
        if self.kind is LoginKind.roster and not (self.users or self.file):
            raise ValueError("kind `roster` needs `users` or `file`")
        self.names()  # a bad line of the file is a fault like any other
        return self

    def names(self) -> list[str]:
        """All names that may log in, sorted, each once."""
        return sorted({*self.users, *(_names_in(self.file) if self.file else [])})


def _names_in(path: Path) -> list[str]:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    names = []
    with path.open(newline="", encoding="utf-8-sig") as lines:
        for number, row in enumerate(csv.reader(lines), start=1):
            name = row[0].strip() if row else ""
            if not name or (number == 1 and name.lower() in ("name", "user", "username")):
                continue
            try:
                names.append(_user_name(name))
            except ValueError as fault:
                raise ValueError(
                    f"{path} line {number}: found {name!r}; allowed: {fault}"
                ) from None
    return names


class HubSecretsArgs(Args):
    """Secrets of a hub, made once by `make setup` into the stack's config."""

    class_password: InputSecret | None = field(
        None,
        description="Everybody's password with login kind `class_password`; 8 characters or more.",
        change=_HUB_REPLACED,
    )
    admin_password: InputSecret | None = field(
        None,
        description="The admins' password with `class_password`; 32 characters or more.",
        change=_HUB_REPLACED,
    )
    cookie_secret: InputSecret = field(
        description="Key of the login cookies, 64 hex digits.",
        change=_HUB_REPLACED + "; everybody logs in again",
    )
    crypt_key: InputSecret = field(
        description="Key of what the hub's database keeps encrypted, 64 hex digits.",
        change=_HUB_REPLACED + "; stored login state is lost",
    )
    roster_key: InputSecret | None = field(
        None,
        description="Key that first passwords of `roster` are made from, 64 hex digits.",
        change=_HUB_REPLACED + "; first passwords not yet used change",
    )

    def missing(self, login: LoginKind) -> list[str]:
        """Names of the secrets that a kind of login needs and that aren't there."""
        needs = {
            LoginKind.class_password: ("class_password", "admin_password"),
            LoginKind.roster: ("roster_key",),
        }
        return [name for name in needs[login] if getattr(self, name) is None]


class NotebookImageArgs(Args):
    """An image that users can start: anything with `jupyterhub-singleuser` in it."""

    title: str = field(
        "Python",
        min_length=1,
        max_length=60,
        description="What the spawn page calls it. The page is skipped when there is one image.",
        change=_NEXT_START,
    )
    description: str = field(
        "", description="A line for the spawn page: what is in it.", change=_NEXT_START
    )
    source: ImageArgs = field(
        description="Where the image comes from: `reference` or `build`.", change=_NEXT_START
    )
    uid: int = field(
        1000,
        ge=1,
        description="User id in the image; homes belong to it. Root is refused.",
        change=_NEXT_START,
    )
    gid: int = field(100, ge=1, description="Group id in the image.", change=_NEXT_START)
    home: str = field(
        "/home/jovyan",
        pattern=r"^/[\w./-]+$",
        description="Home folder in the image; the user's kept files appear there.",
        change=_NEXT_START,
    )
    command: list[str] = field(
        ["jupyterhub-singleuser"],
        min_length=1,
        description="Command that starts the server.",
        change=_NEXT_START,
    )
    memory_limit: Bytes | None = field(
        "2G",
        ge=128 * 1024**2,
        unit="bytes, or text like `2G`",
        description="A server that needs more is ended. `null`: no limit.",
        change=_NEXT_START,
    )
    memory_guarantee: Bytes = field(
        "256M",
        ge=0,
        unit="bytes, or text like `256M`",
        description="Kept free for each server; a start that the host has no room for is refused.",
        change=_NEXT_START,
    )
    cpu_limit: float | None = field(
        None,
        gt=0,
        unit="cores",
        description="Most that one server may use. `null`: all.",
        change=_NEXT_START,
    )
    processes: int = field(
        1024, ge=32, description="Most processes and threads of one server.", change=_NEXT_START
    )
    shared_memory: Bytes = field(
        "512M",
        ge=1024**2,
        unit="bytes, or text like `512M`",
        description="Size of /dev/shm, counted as memory when used (PyTorch's loaders need it).",
        change=_NEXT_START,
    )
    environment: dict[str, InputStr] = field(
        {}, description="Environment variables of the server; no secrets.", change=_NEXT_START
    )

    @model_validator(mode="after")
    def _guarantee_fits(self) -> Self:
        if self.memory_limit and int(self.memory_guarantee) > int(self.memory_limit):
            raise ValueError("memory_guarantee must not be above memory_limit")
        return self


class CullingArgs(Args):
    """Stops servers that nobody uses. A busy kernel is in use, also when it prints nothing."""

    enabled: bool = field(True, description="Stop idle servers.", change=_HUB_REPLACED)
    timeout: int = field(
        3600, ge=10, unit="seconds", description="Idle for this long is idle.", change=_HUB_REPLACED
    )
    every: int = field(
        300, ge=2, unit="seconds", description="How often to look.", change=_HUB_REPLACED
    )
    max_age: int = field(
        0,
        ge=0,
        unit="seconds",
        description="Stop servers older than this even when in use. 0: never.",
        change=_HUB_REPLACED,
    )
    busy_kernels: bool = field(
        False, description="Stop servers with a busy kernel too.", change=_HUB_REPLACED
    )


def check_private(subnet: str) -> None:
    """Refuses a subnet that isn't a private range of a sensible size."""
    try:
        network = ipaddress.ip_network(subnet)
    except ValueError:
        raise ValueError(f"subnet {subnet!r} is no range like 10.231.0.0/20") from None
    if network.version != 4 or not network.is_private or not 16 <= network.prefixlen <= 26:
        raise ValueError("subnet must be a private IPv4 range from /16 to /26")


class UsersNetworkArgs(Args):
    """The network that notebooks are on, without a way from one to another."""

    subnet: str = field(
        "10.231.0.0/20",
        description="Private range for the notebooks' addresses, used nowhere else.",
        change="replaces the network: run `make down` first",
    )
    hub_port: int = field(
        8081,
        ge=1024,
        le=65535,
        description="Port of the hub on the network's gateway address.",
        change="replaces the hub container; running servers lose the hub: restart them",
    )

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        check_private(self.subnet)
        return self


class JupyterHubHostArgs(Args):
    """A JupyterHub on one host."""

    title: InputStr = field(
        "JupyterHub",
        description="Name of the hub on its pages, 1 to 80 characters.",
        change=_HUB_REPLACED,
    )
    admins: list[UserName] = field(
        ["teacher"],
        min_length=1,
        description="Names with the admin page.",
        change=_HUB_REPLACED,
    )
    login: LoginArgs = field(
        LoginArgs(), description="Who may log in, and how.", change=_HUB_REPLACED
    )
    image: ImageArgs = field(
        default_factory=lambda: ImageArgs(build=bundled_image("hub")),
        description="The hub's own image. Default: built from `images/hub`.",
        change=_HUB_REPLACED,
    )
    images: list[NotebookImageArgs] = field(
        default_factory=lambda: [_default_image()],
        min_length=1,
        description="Images that users can start, the default first. Default: `images/notebook`.",
        change=_NEXT_START,
    )
    environment: dict[str, InputStr] = field(
        {}, description="Environment variables of every server; no secrets.", change=_NEXT_START
    )
    network: UsersNetworkArgs = field(
        UsersNetworkArgs(),
        description="The network that notebooks are on.",
        change="replaces the network: run `make down` first",
    )
    open_ports: list[int] = field(
        [],
        description="Further ports on the gateway address that notebooks may reach (Dask's).",
        change="replaces the guard container; servers go on",
    )
    culling: CullingArgs = field(
        CullingArgs(), description="Stops servers that nobody uses.", change=_HUB_REPLACED
    )
    memory_reserve: Bytes = field(
        "1G",
        ge=0,
        unit="bytes, or text like `1G`",
        description="Memory of the host that is kept from notebooks.",
        change=_HUB_REPLACED,
    )
    spawn_concurrency: int = field(
        0,
        ge=0,
        le=64,
        description="Servers that start at the same time; more wait their turn. 0: cores + 1.",
        change=_HUB_REPLACED,
    )
    start_timeout: int = field(
        120,
        ge=10,
        unit="seconds",
        description="A server that takes longer, counted from its turn, has failed.",
        change=_HUB_REPLACED,
    )

    _title = matching(r".{1,80}", "title", form="1 to 80 characters")

    @model_validator(mode="after")
    def _titles_differ(self) -> Self:
        titles = [image.title for image in self.images]
        if len(set(titles)) < len(titles):
            raise ValueError("each image needs a title of its own")
        return self
