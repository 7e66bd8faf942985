"""A zone of AWS."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pulumi_aws as aws

from .site import PlaceArgs, Site, SiteArgs, place_of

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def connect(deployment: str, args: SiteArgs) -> Site:
    """One provider: each takes hundreds of megabytes. Without credentials it asks for nothing."""
    site = describe(deployment, args)
    blind = site.is_blind
    provider = aws.Provider(
        f"{deployment}-cloud",
        region=site.region,
        access_key="none" if blind else None,
        secret_key="none" if blind else None,
        skip_credentials_validation=True if blind else None,
        skip_requesting_account_id=True if blind else None,
        skip_metadata_api_check=True if blind else None,
    )
    return replace(site, provider=provider)


def describe(deployment: str, args: PlaceArgs) -> Site:
    """The site, without anything that belongs to a running program."""
    return Site(
        platform="aws",
        deployment=deployment,
        has_credentials=has_credentials(),
        labels=getattr(args, "labels", {}),
        **place_of(args, lambda zone: zone.rstrip("abcdefghijklmnopqrstuvwxyz")),
    )


def has_credentials() -> bool:
    """Whether this environment names credentials, in any of the usual ways."""
    folder = Path.home() / ".aws"
    files = (folder / "credentials", folder / "config")
    return any(os.environ.get(n) for n in _CREDENTIALS) or any(f.exists() for f in files)
