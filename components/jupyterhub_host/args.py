"""Args of JupyterHubHost."""

from __future__ import annotations

import ipaddress
from typing import Any, Self

from pydantic import model_validator

from ..args import Args, Bytes, InputSecret, InputStr, field, matching
from ..images import BundledImage, ImageArgs, bundled_image
from ..platforms.reach import Reach
from .effects import HUB_REPLACED, NEXT_START
from .files import FilesArgs
from .login import LoginArgs, LoginKind, UserName
from .pods import PodsArgs
from .servers import LimitsArgs, NotebookImageArgs, ServerSizeArgs


def _default_image() -> NotebookImageArgs:
    return NotebookImageArgs(source=ImageArgs(bundled=BundledImage.notebook))


class HubSecretsArgs(Args):
    """Secrets of a hub, made once by `make setup` into the stack's config."""

    class_password: InputSecret | None = field(
        None,
        description="Everybody's password with login kind `class_password`; 8 characters or more.",
        change=HUB_REPLACED,
    )
    admin_password: InputSecret | None = field(
        None,
        description="The admins' password with `class_password`; 32 characters or more.",
        change=HUB_REPLACED,
    )
    cookie_secret: InputSecret = field(
        description="Key of the login cookies, 64 hex digits.",
        change=HUB_REPLACED + "; everybody logs in again",
    )
    crypt_key: InputSecret = field(
        description="Key of what the hub's database keeps encrypted, 64 hex digits.",
        change=HUB_REPLACED + "; stored login state is lost",
    )
    roster_key: InputSecret | None = field(
        None,
        description="Key that first passwords of `roster` are made from, 64 hex digits.",
        change=HUB_REPLACED + "; first passwords not yet used change",
    )

    oidc_client_secret: InputSecret | None = field(
        None,
        description=(
            "The hub's secret at the provider of `login.oidc`. Set it with `pulumi config set "
            "--secret --path jupyterhub:secrets.oidc_client_secret`."
        ),
        change=HUB_REPLACED,
    )
    database_url: InputSecret | None = field(
        None,
        description=(
            "Address of a Postgres database for the hub, "
            "`postgresql+psycopg2://user:password@host:port/name`: for hubs with hundreds of users "
            "at work at the same time. Backing it up is yours. Set it with `pulumi config set "
            "--secret --path jupyterhub:secrets.database_url`. Default: SQLite on the volume "
            "`state`."
        ),
        change=HUB_REPLACED + "; nothing is copied between the two",
    )

    _postgres = matching(
        r"postgresql(\+psycopg2)?://[^/\s]+/\S+",
        "database_url",
        form="postgresql+psycopg2://user:password@host:port/name",
    )

    def missing(self, login: LoginKind) -> list[str]:
        """Names of the secrets that a kind of login needs and that aren't there."""
        needs = {
            LoginKind.class_password: ("class_password", "admin_password"),
            LoginKind.roster: ("roster_key",),
            LoginKind.signup: ("roster_key",),
            LoginKind.oidc: ("oidc_client_secret",),
        }
        return [name for name in needs.get(login, ()) if getattr(self, name) is None]


class CullingArgs(Args):
    """Stops servers that nobody uses.

    In this library's images a busy kernel is in use, also when it prints nothing.
    """

    enabled: bool = field(True, description="Stop idle servers.", change=HUB_REPLACED)
    timeout: int = field(
        3600, ge=10, unit="seconds", description="Idle for this long is idle.", change=HUB_REPLACED
    )
    every: int = field(
        300, ge=2, unit="seconds", description="How often to look.", change=HUB_REPLACED
    )
    max_age: int = field(
        0,
        ge=0,
        unit="seconds",
        description="Stop servers older than this even when in use. 0: never.",
        change=HUB_REPLACED,
    )
    busy_kernels: bool = field(
        False, description="Stop servers that are at work, too.", change=HUB_REPLACED
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
        change=HUB_REPLACED,
    )
    admins: list[UserName] = field(
        ["teacher"],
        description=(
            "Names with the admin page. With `oidc` and `lti13` name them, or leave it empty and "
            "say whose groups or courses are admins. Nobody else is one."
        ),
        change=HUB_REPLACED + "; who is taken out is no admin any more",
    )
    login: LoginArgs = field(
        LoginArgs(), description="Who may log in, and how.", change=HUB_REPLACED
    )
    image: ImageArgs = field(
        default_factory=lambda: ImageArgs(build=bundled_image("hub")),
        description="The hub's own image. Default: built from `images/hub`.",
        change=HUB_REPLACED,
    )
    images: list[NotebookImageArgs] = field(
        default_factory=lambda: [_default_image()],
        min_length=1,
        description="Images that users can start, the default first. Default: `notebook`.",
        change=NEXT_START,
    )
    sizes: list[ServerSizeArgs] = field(
        [],
        description="Sizes to choose from. Default: none, each image has its own limits.",
        change=NEXT_START,
    )
    named_servers: int = field(
        0,
        ge=0,
        le=20,
        description="Further servers that a user may have besides the first, each with a name.",
        change=HUB_REPLACED,
    )
    files: FilesArgs = field(
        FilesArgs(),
        description="What users find in their homes besides their own files.",
        change=NEXT_START,
    )
    announcement: str = field(
        "",
        max_length=500,
        description="A line on top of the hub's pages: `No class on Friday`.",
        change=HUB_REPLACED,
    )
    admin_access: bool = field(
        False,
        description=(
            "Admins may open other people's servers, and so read and change their files. Each "
            "time is in the hub's log. Needs `subdomains` or `shared_origin`."
        ),
        change=HUB_REPLACED,
    )
    environment: dict[str, InputStr] = field(
        {}, description="Environment variables of every server; no secrets.", change=NEXT_START
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
    reach: list[Reach] = field(
        [],
        description=(
            "Services on private addresses that users' servers may reach: ranges `10.1.2.0/24`, "
            "with a port `10.1.2.3:5432`, or on a Docker engine by name `db.example.org:5432`. "
            "All else on 10/8, 172.16/12, 192.168/16, 100.64/10 and IPv6's own is closed, and NFS "
            "(port 2049) anywhere; the internet, names (port 53), the hub, Dask and Spark are "
            "open, and so are proxies and package index of `egress` (in Kubernetes if given by "
            "address). The host's own addresses stay closed."
        ),
        change=(
            "replaces guard and hub containers; servers go on, and so do connections that they "
            "have open. In Kubernetes in place"
        ),
    )
    culling: CullingArgs = field(
        CullingArgs(), description="Stops servers that nobody uses.", change=HUB_REPLACED
    )
    subdomains: bool = field(
        False,
        description=(
            "Each user's pages under a name of their own, `anna.hub.example.org`, so that nobody's "
            "page can act for somebody else: for people who don't trust each other. Needs DNS and "
            "a certificate for `*.hub.example.org`."
        ),
        change=HUB_REPLACED + "; open pages have to be opened anew",
    )
    shared_origin: bool = field(
        False,
        description=(
            "Allow common servers (`files.groups.….together`) and `admin_access` without "
            "`subdomains`. Such a server's pages then have the address of the hub's own, so a "
            "script that anybody left there can do on the hub whatever the one may who opens it: "
            "an admin everything, with everybody's files. Only where all who can write on such a "
            "server may do that. The preview says so each time."
        ),
        change=HUB_REPLACED,
    )
    class_size: int | None = field(
        None,
        ge=1,
        le=100_000,
        description=(
            "Users at the same time that you expect. The preview warns when the host has no room "
            "for them."
        ),
        change="nothing that runs",
    )
    memory_reserve: Bytes = field(
        "1G",
        ge=0,
        unit="bytes, or text like `1G`",
        description="Memory of the host that is kept from notebooks.",
        change=HUB_REPLACED,
    )
    spawn_concurrency: int = field(
        0,
        ge=0,
        le=64,
        description="Servers that start at the same time; more wait their turn. 0: cores + 1.",
        change=HUB_REPLACED,
    )
    start_timeout: int = field(
        120,
        ge=10,
        unit="seconds",
        description="A server that takes longer, counted from its turn, has failed.",
        change=HUB_REPLACED,
    )

    pods: PodsArgs = field(
        PodsArgs(),
        description="How a Kubernetes cluster runs the hub and the servers.",
        change="see its fields",
    )
    values: dict[str, Any] = field(
        {},
        description=(
            "In Kubernetes: values of the chart Zero to JupyterHub that have no key here; they "
            "win over everything else."
        ),
        change="as the chart's own documentation says",
    )

    _title = matching(r".{1,80}", "title", form="1 to 80 characters")

    @model_validator(mode="after")
    def _admins_are_meant(self) -> Self:
        if self.login.chooses_names and "admins" not in self.model_fields_set:
            raise ValueError(
                f"with login kind `{self.login.kind.value}` anybody might be called `teacher`; "
                "name the `admins`, or give an empty list and say which group or course has them"
            )
        if not self.admins and not self.login.has_other_admins:
            raise ValueError("somebody has to be an admin; give a name in `admins`")
        return self

    @model_validator(mode="after")
    def _groups_of_a_provider_are_told(self) -> Self:
        wanting = [name for name, group in self.files.groups.items() if group.provider_groups]
        if wanting and self.login.kind is not LoginKind.oidc:
            raise ValueError(
                f"files.groups.{wanting[0]} has provider_groups, which go with login kind `oidc`; "
                f"found `{self.login.kind.value}`: name `members`"
            )
        if wanting and self.login.oidc and not self.login.oidc.preset.has_groups:
            raise ValueError(
                f"files.groups.{wanting[0]} has provider_groups, and "
                f"{self.login.oidc.preset.title} tells no groups: name `members`"
            )
        return self

    @model_validator(mode="after")
    def _titles_differ(self) -> Self:
        for what, titles in (
            ("image", [image.title for image in self.images]),
            ("size", [size.title for size in self.sizes]),
        ):
            if len(set(titles)) < len(titles):
                raise ValueError(f"each {what} needs a title of its own")
        return self

    @model_validator(mode="after")
    def _groups_choose_what_there_is(self) -> Self:
        offered = {
            "image": [image.title for image in self.images],
            "size": [size.title for size in self.sizes],
        }
        wrong = [
            f"files.groups.{name} has {what} `{chosen}`; {what}s: {', '.join(titles) or 'none'}"
            for name, group in self.files.groups.items()
            for what, titles in offered.items()
            if (chosen := getattr(group, what)) not in (None, *titles)
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def meeting_places(self) -> list[str]:
        """Settings by which people open pages that somebody else may have written."""
        groups = self.files.groups.items()
        common = [f"files.groups.{name}.together" for name, group in groups if group.together]
        return [*common, *(["admin_access"] if self.admin_access else [])]

    @model_validator(mode="after")
    def _pages_are_apart(self) -> Self:
        if self.meeting_places and not (self.subdomains or self.shared_origin):
            raise ValueError(
                f"{' and '.join(self.meeting_places)} only with `subdomains: true` (a DNS name and "
                "a certificate for each user), or with `shared_origin: true` if what one person "
                "writes may act on the hub for whoever opens it, an admin too"
            )
        return self

    @model_validator(mode="after")
    def _limits_are_said_once(self) -> Self:
        sizes = [size.title for size in self.sizes]
        for image in self.images:
            own = sorted(image.model_fields_set & set(LimitsArgs.model_fields))
            if sizes and own:
                raise ValueError(
                    f"image `{image.title}` has {', '.join(own)} of its own; with `sizes` give it "
                    "a `size` instead"
                )
            if image.size is not None and image.size not in sizes:
                raise ValueError(
                    f"image `{image.title}` has size `{image.size}`; sizes: "
                    f"{', '.join(sizes) or 'none'}"
                )
        return self
