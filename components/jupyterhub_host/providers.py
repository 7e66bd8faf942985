"""Providers that people log in with, as data. Sources: each provider's own documentation.

| key | what |
|---|---|
| issuer | address of its discovery document; None: the stack file gives it |
| endpoints | addresses, of a provider without discovery |
| scopes | what is asked for |
| username_claims | what a user's name is made from: the first one that is told |
| fold_case | it takes `Anna` and `anna` for one person |
| groups_claim | where groups are, dots for nesting; groups_url, groups_item: another address |
| domains | whether it tells a verified email address |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class OidcProvider(str, Enum):
    """Who knows the users."""

    any = "any"
    infn_iam = "infn_iam"
    cern = "cern"
    egi = "egi"
    keycloak = "keycloak"
    github = "github"
    google = "google"


@dataclass(frozen=True)
class Preset:
    """What is known of a provider."""

    title: str
    issuer: str | None = None
    endpoints: dict[str, str] | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    username_claims: tuple[str, ...] = ("preferred_username",)
    fold_case: bool = False
    groups_claim: str = "groups"
    groups_url: str | None = None
    groups_item: str | None = None
    has_groups: bool = True
    has_domains: bool = True
    hints: str = field(default="", repr=False)


PRESETS: dict[OidcProvider, Preset] = {
    OidcProvider.any: Preset("your institute"),
    OidcProvider.infn_iam: Preset(
        "INFN IAM",
        issuer="https://iam.cloud.infn.it/",
        scopes=("openid", "profile", "email", "offline_access"),
        fold_case=True,
        hints="Make a client in IAM's dashboard; groups are paths without the first slash.",
    ),
    OidcProvider.cern: Preset(
        "CERN",
        issuer="https://auth.cern.ch/auth/realms/cern",
        fold_case=True,
        groups_claim="cern_roles",
        hints="Register it at application-portal.web.cern.ch; roles of the application are groups.",
    ),
    OidcProvider.egi: Preset(
        "EGI Check-in",
        issuer="https://aai.egi.eu/auth/realms/egi",
        scopes=("openid", "profile", "email", "entitlements", "offline_access"),
        username_claims=("preferred_username", "voperson_id", "sub"),
        groups_claim="entitlements",
        hints="Register it at aai.egi.eu/federation; groups are entitlements: urn:mace:egi.eu:…",
    ),
    OidcProvider.keycloak: Preset(
        "Keycloak",
        fold_case=True,
        hints="Give the realm as issuer; map groups into the token by `Group Membership`.",
    ),
    OidcProvider.github: Preset(
        "GitHub",
        endpoints={
            "authorize": "https://github.com/login/oauth/authorize",
            "token": "https://github.com/login/oauth/access_token",
            "userinfo": "https://api.github.com/user",
        },
        scopes=("read:user", "read:org"),
        username_claims=("login",),
        fold_case=True,
        groups_url="https://api.github.com/user/orgs",
        groups_item="login",
        has_domains=False,
        hints="Settings, Developer settings, OAuth Apps; groups are organisations.",
    ),
    OidcProvider.google: Preset(
        "Google",
        issuer="https://accounts.google.com",
        username_claims=("email",),
        fold_case=True,
        has_groups=False,
        hints="console.cloud.google.com, APIs & Services, Credentials; allow by users or domains.",
    ),
}
