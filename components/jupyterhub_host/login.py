"""Args of a hub's login."""

from __future__ import annotations

import csv
import re
import unicodedata
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, model_validator

from ..args import Args, InputStr, field, matching
from .effects import HUB_REPLACED
from .providers import PRESETS, OidcProvider, Preset

# The hub's own (hubkit.names), which is in an image and not in this package; a test compares them.
_USER_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,62}\Z")
_URL = r"https?://\S+"


_RULE = "a name of 1 to 63 small letters, digits and . _ @ + -, starting with a letter or digit"
_HEADERS = ("name", "user", "username")
_SHOWN = 10  # bad lines of a table that an error names


def _user_name(name: str) -> str:
    """Names that are safe in URLs, in proxy rules and as folder names (see hubkit.names)."""
    if not _USER_NAME.fullmatch(name):
        raise ValueError(_RULE)
    return name


UserName = Annotated[str, AfterValidator(_user_name)]


class LoginKind(str, Enum):
    """How users prove who they are."""

    class_password = "class_password"
    roster = "roster"
    signup = "signup"
    oidc = "oidc"
    lti13 = "lti13"


class OidcArgs(Args):
    """A provider of OpenID Connect, and who of its users may come in."""

    provider: OidcProvider = field(
        OidcProvider.any,
        description="What is known of it already; `any` needs `issuer`.",
        change=HUB_REPLACED + "; names and so homes are others",
    )
    issuer: InputStr | None = field(
        None,
        description="Its address, below which `.well-known/openid-configuration` is.",
        change=HUB_REPLACED + "; names and so homes are others",
    )
    client_id: InputStr = field(
        description=(
            "What it calls this hub. Register there `<the hub's URL>/hub/oauth_callback` as "
            "redirect URL. The secret goes into `secrets.oidc_client_secret`."
        ),
        change=HUB_REPLACED,
    )
    title: str = field(
        "",
        max_length=60,
        description="What the button on the login page calls it. Default: the provider's name.",
        change=HUB_REPLACED,
    )
    scopes: list[str] = field(
        [], description="What is asked for. Default: the provider's.", change=HUB_REPLACED
    )
    username_claim: str = field(
        "",
        description=(
            "What names are made from. Default: the provider's, mostly `preferred_username`. "
            "Names that are not allowed here get a digest: `Ana Sá` is `ana-s--3f0c…`."
        ),
        change=HUB_REPLACED + "; names and so homes are others",
    )
    groups_claim: str = field(
        "",
        description="Where groups are, dots for nesting. Default: the provider's.",
        change=HUB_REPLACED,
    )
    everyone: bool = field(
        False,
        description="Whoever has an account there may come in.",
        change=HUB_REPLACED + "; who lost it is out within a minute",
    )
    users: list[UserName] = field(
        [],
        description="Names that may come in, as the hub shows them.",
        change=HUB_REPLACED + "; who lost it is out within a minute",
    )
    groups: list[str] = field(
        [],
        description="Groups whose members may come in.",
        change=HUB_REPLACED + "; who lost it is out within a minute",
    )
    domains: list[str] = field(
        [],
        description="Ends of verified email addresses that may come in: `unipd.it`.",
        change=HUB_REPLACED + "; who lost it is out within a minute",
    )
    admin_groups: list[str] = field(
        [], description="Groups whose members are admins.", change=HUB_REPLACED
    )

    _issuer = matching(_URL, "issuer", form="an address like https://iam.example.org/")
    _domain = matching(r"[a-z0-9-]+(\.[a-z0-9-]+)+", "domains", form="domains like unipd.it")

    @property
    def preset(self) -> Preset:
        """What is known of the provider."""
        return PRESETS[self.provider]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not (self.issuer or self.preset.issuer or self.preset.endpoints):
            raise ValueError(f"provider `{self.provider.value}` needs `issuer`, its address")
        if not (self.everyone or self.users or self.groups or self.domains or self.admin_groups):
            raise ValueError(
                "nobody could come in; say who may: `users`, `groups`, `domains`, or `everyone: "
                "true` for whoever has an account there"
            )
        if (self.groups or self.admin_groups) and not self.preset.has_groups:
            raise ValueError(f"{self.preset.title} tells no groups; use `users` or `domains`")
        if self.domains and not self.preset.has_domains:
            raise ValueError(f"{self.preset.title} tells no verified address; use `groups`")
        return self

    def document(self) -> dict[str, Any]:
        """What the hub is told (hubkit.settings.Oidc)."""
        known = self.preset
        return {
            "name": self.title or known.title,
            "issuer": self.issuer or known.issuer,
            "endpoints": None if self.issuer else known.endpoints,
            "client_id": self.client_id,
            "scopes": self.scopes or list(known.scopes),
            "username_claims": (
                [self.username_claim] if self.username_claim else list(known.username_claims)
            ),
            "fold_case": known.fold_case,
            "groups_claim": self.groups_claim or known.groups_claim,
            "groups_url": known.groups_url,
            "groups_item": known.groups_item,
            "everyone": self.everyone,
            "users": self.users,
            "groups": self.groups,
            "domains": self.domains,
            "admin_groups": self.admin_groups,
        }


class Lti13Args(Args):
    """A learning platform (Moodle, Canvas, Open edX) that sends its course here by LTI 1.3."""

    issuer: InputStr = field(
        description="The platform's id, mostly its address.", change=HUB_REPLACED
    )
    authorize_url: InputStr = field(
        description="Its `authentication request URL`.", change=HUB_REPLACED
    )
    jwks_url: InputStr = field(description="Its `public keyset URL`.", change=HUB_REPLACED)
    client_id: InputStr = field(
        description=(
            "What it calls this hub. Register there `<the hub's URL>/hub/lti13/oauth_login` as "
            "login URL and `…/hub/lti13/oauth_callback` as redirect URL."
        ),
        change=HUB_REPLACED,
    )
    deployments: list[str] = field(
        min_length=1,
        description=(
            "Its `deployment id` of the hub, in quotes; several where it has one for each course. "
            "Where it is wrong, who comes is told the right one."
        ),
        change=HUB_REPLACED + "; who comes from no other is out within five minutes",
    )
    contexts: list[str] = field(
        [],
        description=(
            "Ids of the courses that may send people, in quotes: in Moodle the number in the "
            "course's address. Where one is missing, who comes from there is told it."
        ),
        change=HUB_REPLACED + "; who comes from no other is out within five minutes",
    )
    every_course: bool = field(
        False,
        description="Every course of the platform may: whoever teaches one can let people in.",
        change=HUB_REPLACED + "; with `false` others are out within five minutes",
    )
    username_claim: str = field(
        "email",
        description=(
            "What names are made from: `email`, `sub`, `custom_<field>`. Who is told none, as "
            "where the platform keeps addresses to itself, is told so and doesn't come in."
        ),
        change=HUB_REPLACED + "; names and so homes are others",
    )
    teachers_are_admins: bool = field(
        False,
        description="Whether teachers of the courses in `contexts` are admins here.",
        change=HUB_REPLACED + "; `false` ends it for those who are",
    )

    _urls = matching(_URL, "authorize_url", "jwks_url", form="an address like https://…")

    @model_validator(mode="after")
    def _courses_are_named(self) -> Self:
        if bool(self.contexts) is self.every_course:
            raise ValueError(
                "say which courses may send people: their ids in `contexts`, or `every_course: "
                "true` for all of the platform, and not both"
            )
        if self.every_course and self.teachers_are_admins:
            raise ValueError(
                "with `every_course` whoever teaches anything there would be an admin: name "
                "`contexts`, or the `admins` instead of `teachers_are_admins`"
            )
        return self

    def document(self) -> dict[str, Any]:
        """What the hub is told (hubkit.settings.Lti13)."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class LoginArgs(Args):
    """Who may log in, and how."""

    kind: LoginKind = field(
        LoginKind.class_password,
        description=(
            "`class_password`: one password for everybody, who can therefore be anybody: for your "
            "own machine. `roster`: a list of names, a password each. `signup`: people make "
            "accounts. `oidc`: they have one elsewhere. `lti13`: they come from a course."
        ),
        change=HUB_REPLACED + "; homes are kept by name; a server whose name may not come in ends",
    )
    users: list[UserName] = field(
        [],
        description="Names that may log in, with `roster`.",
        change=HUB_REPLACED + "; a removed name is out, its server ends, its files are kept",
    )
    file: Path | None = field(
        None,
        description="CSV file of more names in its first column (a header `name` is skipped).",
        change=HUB_REPLACED + "; a removed name is out, its server ends, its files are kept",
    )
    approval: bool = field(
        True,
        description="With `signup`: an admin lets everybody in on the class page. `false`: open.",
        change=HUB_REPLACED,
    )
    oidc: OidcArgs | None = field(
        None, description="The provider, with `oidc`.", change="see its fields"
    )
    lti13: Lti13Args | None = field(
        None, description="The learning platform, with `lti13`.", change="see its fields"
    )

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        is_roster = self.kind is LoginKind.roster
        if not is_roster and (self.users or self.file):
            raise ValueError("`users` and `file` go with kind `roster`")
        if is_roster and not (self.users or self.file):
            raise ValueError("kind `roster` needs `users` or `file`")
        for kind in (LoginKind.oidc, LoginKind.lti13):
            section = getattr(self, kind.value)
            if (section is not None) != (self.kind is kind):
                raise ValueError(f"kind `{kind.value}` and the section `{kind.value}` go together")
        self.names()  # a bad line of the file is a fault like any other
        return self

    def names(self) -> list[str]:
        """All names that may log in, sorted, each once."""
        return sorted({*self.users, *(_names_in(self.file) if self.file else [])})

    @property
    def chooses_names(self) -> bool:
        """Whether people's names come from elsewhere, so that anybody might be called `teacher`."""
        return self.kind in (LoginKind.oidc, LoginKind.lti13)

    @property
    def has_other_admins(self) -> bool:
        """Whether a group or a course says who is an admin."""
        teachers = self.lti13 is not None and self.lti13.teachers_are_admins
        return teachers or bool(self.oidc and self.oidc.admin_groups)

    def document(self, admins: list[str]) -> dict[str, Any]:
        """What the hub is told (hubkit.settings.Login)."""
        return {
            "kind": self.kind.value,
            "admins": admins,
            "users": self.names(),
            "approval": self.approval,
            "oidc": self.oidc and self.oidc.document(),
            "lti13": self.lti13 and self.lti13.document(),
        }


def _names_in(path: Path) -> list[str]:
    """All names of a table; all lines that can't be one in one error."""
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    with path.open(newline="", encoding="utf-8-sig") as lines:
        cells = [row[0].strip() if row else "" for row in csv.reader(lines)]
    if cells and cells[0].lower() in _HEADERS:
        cells[0] = ""
    names = {number: cell for number, cell in enumerate(cells, start=1) if cell}
    bad = {number: name for number, name in names.items() if not _USER_NAME.fullmatch(name)}
    if bad:
        shown = [f"line {n}: found {name!r}{_instead(name)}" for n, name in bad.items()]
        more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise ValueError(f"{path} {'; '.join(shown[:_SHOWN])}{more}; allowed: {_RULE}")
    return list(names.values())


def _instead(name: str) -> str:
    """A name like it that would do."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    close = re.sub(r"[^a-z0-9._@+-]+", ".", plain).strip("._@+-")[:63]
    return f", perhaps {close}" if _USER_NAME.fullmatch(close) else ""
