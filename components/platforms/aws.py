"""A zone of AWS."""

from __future__ import annotations

import os
from pathlib import Path

from .site import PlaceArgs, Site, SiteArgs, place_of

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def connect(deployment: str, args: SiteArgs) -> Site:
    """No provider of our own: each takes hundreds of megabytes, and resources take `region`."""
    return describe(deployment, args)


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
