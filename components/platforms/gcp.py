"""A zone of Google Cloud."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pulumi_gcp as gcp

from .site import PlaceArgs, Site, SiteArgs, place_of

_CREDENTIALS = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN")
_FILE = Path(".config/gcloud/application_default_credentials.json")


def connect(deployment: str, args: SiteArgs) -> Site:
    """One provider. Without credentials it has a token that opens nothing: previews work."""
    site = describe(deployment, args)
    provider = gcp.Provider(
        f"{deployment}-cloud",
        project=site.account,
        region=site.region,
        zone=site.zone,
        access_token="none" if site.is_blind else None,
    )
    return replace(site, provider=provider)


def describe(deployment: str, args: PlaceArgs) -> Site:
    """The site, without anything that belongs to a running program."""
    return Site(
        platform="gcp",
        deployment=deployment,
        has_credentials=has_credentials(),
        labels=getattr(args, "labels", {}),
        **place_of(args, lambda zone: zone.rsplit("-", 1)[0]),
    )


def has_credentials() -> bool:
    """Whether this environment names credentials, in any of the usual ways."""
    return any(os.environ.get(n) for n in _CREDENTIALS) or (Path.home() / _FILE).exists()
