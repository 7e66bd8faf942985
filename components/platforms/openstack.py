"""A region and zone of an OpenStack cloud."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pulumi
import pulumi_openstack as openstack

from .site import PlaceArgs, Site, SiteArgs, place_of

_FOLDERS = (Path(), Path.home() / ".config/openstack", Path("/etc/openstack"))


def connect(deployment: str, args: SiteArgs) -> Site:
    """A provider of its own, for the cloud's name in clouds.yaml.

    Without credentials it is one that asks for no token before it has to: previews work.
    """
    cloud = args.account or os.environ.get("OS_CLOUD")
    known = has_credentials()
    provider = openstack.Provider(
        f"{deployment}-cloud",
        cloud=cloud if known else None,
        region=args.region,
        delayed_auth=True,
        auth_url=None if known else "https://preview.invalid/v3",
        opts=pulumi.ResourceOptions(),
    )
    return replace(describe(deployment, args), provider=provider)


def describe(deployment: str, args: PlaceArgs) -> Site:
    """The site, without anything that belongs to a running program."""
    return Site(
        platform="openstack",
        deployment=deployment,
        has_credentials=has_credentials(),
        labels=getattr(args, "labels", {}),
        **place_of(args),
    )


def has_credentials() -> bool:
    """Whether this environment names a cloud, in any of the usual ways."""
    files = [folder / "clouds.yaml" for folder in _FOLDERS]
    return bool(
        os.environ.get("OS_AUTH_URL")
        or os.environ.get("OS_CLIENT_CONFIG_FILE")
        or any(file.exists() for file in files)
    )
