"""A place in a cloud as a value: where VMs, disks and networks are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as own
from typing import Any, TypeVar

import pulumi

from ..args import Args, field
from .pick import pick

T = TypeVar("T")
LABEL = "pulumi-jupyterhub"
_ELSEWHERE = "refused by protected volumes, which can't move: make a new stack instead"


class PlaceArgs(Args):
    """A region and zone of a cloud, and the account that pays."""

    region: str | None = field(
        None,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="The cloud's region. Default: the zone's; on OpenStack your account's.",
        change=_ELSEWHERE,
    )
    zone: str | None = field(
        None,
        pattern=r"^[A-Za-z0-9._-]+$",
        description=(
            "Zone for VM and disks: `eu-central-1a` (AWS), `europe-west1-b` (GCP); on OpenStack "
            "an availability zone, default: the cloud chooses."
        ),
        change=_ELSEWHERE,
    )
    account: str | None = field(
        None,
        pattern=r"^[A-Za-z0-9._:-]+$",
        description=(
            "Whose it is: the project id on GCP, a name in clouds.yaml on OpenStack. "
            "Default: what your environment says."
        ),
        change=_ELSEWHERE,
    )


class SiteArgs(PlaceArgs):
    """Where in the cloud everything is made."""

    labels: dict[str, str] = field(
        {},
        description="Labels (tags) on everything, beside the stack's own.",
        change="in place",
    )
    places: list[PlaceArgs] = field(
        [],
        description="Places that would do, best first: `make place` takes the first that works.",
        change="nothing on the running system",
    )


@dataclass(frozen=True)
class Site:
    """A zone of a cloud, with everything that a resource there needs.

    `platform` names the file that knows the cloud. `has_credentials` is False where a preview has
    to do without look-ups.
    """

    platform: str
    deployment: str
    region: str | None
    zone: str | None
    account: str | None
    has_credentials: bool
    labels: Mapping[str, str] = own(default_factory=dict)
    provider: pulumi.ProviderResource | None = None
    network: pulumi.Input[str] | None = None  # an existing one, which file systems are put into

    @classmethod
    def connect(
        cls,
        platform: str,
        deployment: str,
        args: SiteArgs,
        network: pulumi.Input[str] | None = None,
    ) -> Site:
        """The site of a stack. Nothing connects before the first resource."""
        site: Site = pick(__package__, platform).connect(deployment, args)
        return replace(site, network=network)

    @classmethod
    def describe(cls, platform: str, deployment: str, args: PlaceArgs) -> Site:
        """A site to ask about, outside of a Pulumi program."""
        site: Site = pick(__package__, platform).describe(deployment, args)
        return site

    def named(self, role: str) -> str:
        """Name of an object in the cloud: `jupyterhub-aws-vm`."""
        return f"{self.deployment}-{role}"

    def tags(self, role: str) -> dict[str, str]:
        """Labels that tell whose an object is and what it does."""
        own_labels = {f"{LABEL}-deployment": self.deployment, f"{LABEL}-role": role}
        return {**self.labels, **own_labels, "Name": self.named(role)}

    def options(self, parent: pulumi.Resource | None, **more: Any) -> pulumi.ResourceOptions:
        """Options of every resource here: its parent and its provider."""
        return pulumi.ResourceOptions(parent=parent, provider=self.provider, **more)

    def invoke_options(self) -> pulumi.InvokeOptions:
        """Options of every look-up here."""
        return pulumi.InvokeOptions(provider=self.provider)

    def looked_up(self, what: str, look: Callable[[], pulumi.Output[T]]) -> pulumi.Output[T] | str:
        """What the cloud says; in a preview without credentials, a placeholder that says so."""
        return f"<looked up: {what}>" if self.is_blind else look()

    def guessed(self, *properties: str) -> list[str]:
        """Properties that hold a placeholder: they are no change of what is there."""
        return list(properties) if self.is_blind else []

    @property
    def is_blind(self) -> bool:
        """Whether this is a preview that can look nothing up."""
        return pulumi.runtime.is_dry_run() and not self.has_credentials


def place_of(args: PlaceArgs, region_of: Callable[[str], str] | None = None) -> dict[str, Any]:
    """Region, zone and account; the region follows from the zone where the cloud names it so."""
    region = args.region or (region_of(args.zone) if region_of and args.zone else None)
    return {"region": region, "zone": args.zone, "account": args.account}
