"""A zone of Google Cloud."""

from __future__ import annotations

import os
from pathlib import Path

from .site import PlaceArgs, Site, SiteArgs, place_of

_CREDENTIALS = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN")
_FILE = Path(".config/gcloud/application_default_credentials.json")


def connect(deployment: str, args: SiteArgs) -> Site:
    """No provider of our own: resources take `project` and `zone`."""
    return describe(deployment, args)


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
