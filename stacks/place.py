"""Which of a stack's places has room: `python -m stacks.place STACK` prints the first as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from components import preflight as cloud
from components.config import StackConfig, read_file
from components.errors import ConfigError
from components.platforms.site import PlaceArgs, Site

from .preflight import wanted


def verdict(config: StackConfig, place: PlaceArgs) -> tuple[list[str], list[str]]:
    """What a place refuses, and what it doesn't tell."""
    moved = config.model_copy(
        update={"site": config.site.model_copy(update=place.model_dump(exclude_none=True))}
    )
    assert config.cloud
    site = Site.describe(config.cloud, "place", moved.site)
    findings = cloud.check(wanted(moved, site))
    return cloud.refused(findings), cloud.notes(findings)


def name_of(place: PlaceArgs) -> str:
    """A place in words: `eu-central-1a`, `mycloud nova`."""
    return " ".join(filter(None, (place.account, place.region, place.zone)))


def main(arguments: list[str]) -> int:
    """Progress and reasons on standard error, the place on standard output."""
    (stack,) = arguments
    try:
        config = read_file(Path("stacks") / f"Pulumi.{stack}.yaml")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    if not config.cloud or not config.site.places:
        print(
            "jupyterhub:site.places: found nothing; allowed: a list of places, best first: "
            "[{zone: eu-central-1a}, {zone: eu-west-1b}]",
            file=sys.stderr,
        )
        return 1
    for place in config.site.places:
        refused, unknown = verdict(config, place)
        for line in (*refused, *unknown):
            print(f"  {name_of(place)}: {line}", file=sys.stderr)
        if not refused:
            print(json.dumps(place.model_dump(exclude_none=True)))
            return 0
    print("None of the places has room. Nothing was changed.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
