"""Moves a class from one hub to another: first said, then done, the old hub left as it is."""

from __future__ import annotations

import json
import subprocess
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..setup.steps import Problem, step
from ..stacks import homes
from ..stacks.cluster import said
from ..stacks.homes import Place, Seen, Side
from ..stacks.stack import existing

_NOT_SEEN = (
    "Not moved: shared/ and folders of groups. A hub in a cluster doesn't see them: copy them by a "
    "server, or where they are stored."
)
_STAYS = (
    "Not moved, for they are the old hub's own: tokens that people made, first passwords, files of "
    "shared/ that are in no folder, scratch-not-kept. Buckets are where they were. Who is an admin "
    "and which groups there are is in the new stack file."
)


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--from", dest="source", default="", metavar="STACK")
    parser.add_argument("--to", dest="target", default="", metavar="STACK")
    parser.add_argument("--go", action="store_true", help="do it")


def run(given: Namespace) -> None:
    """Runs it."""
    graduate(given.source, given.target, given.go)


def graduate(source: str, target: str, go: bool) -> None:
    """Says what would be moved; with `go`, moves it. The same again goes on where it stopped."""
    if not source or not target or source == target:
        raise Problem("Name two stacks: make graduate FROM=class TO=facility")
    old, new = (existing(name)[0] for name in (source, target))
    with homes.side(old, writes=False) as away, homes.side(new, writes=go) as here:
        told = away.hub.ask("export")
        folders = json.loads(away.hub.ask("folders"))
        before, after = away.homes.places(folders), here.homes.places(folders)
        refuse_shared(target, after)
        print(f"  {len(folders)} homes from {source} to {target}:")
        found = list(_found(away, here, before, after))
        beside = _beside(away, here)
        found += beside or []
        if not go:
            print(
                "Nothing was changed. People should have stopped their servers on "
                f"{source}. To do it: make graduate FROM={source} TO={target} GO=1"
            )
            return
        with step("Users, groups, roster"):
            here.hub.ask("import", given=told)
        left = [home.name for home in found if not move(away, here, home)]
    _tell(source, target, left, beside is not None)


def refuse_shared(target: str, places: Mapping[str, Place]) -> None:
    """Stops, before anything is touched, where two users would have one home on the new hub."""
    owners: dict[tuple[str | None, str], str] = {}
    for name, place in places.items():
        other = owners.setdefault((place.claim, place.folder), name)
        if other != name:
            where = place.claim if place.folder == "." else place.folder
            raise Problem(
                f"{other} and {name} would have the same home on {target}, {where}: nothing was "
                "moved. One of them needs another name, or the new hub's homes do."
            )


@dataclass(frozen=True)
class Home:
    """Somebody's home, or a folder beside homes: where it is, where it goes, and what is in it."""

    name: str
    before: Place
    after: Place
    known: dict[str, Any]

    @property
    def title(self) -> str:
        """What is said while it moves."""
        return self.name if self.before.rights else f"Home of {self.name}"


def _found(
    away: Side, here: Side, before: Mapping[str, Place], after: Mapping[str, Place]
) -> Iterator[Home]:
    """Every home that there is; prints how it stands."""
    for name, place in before.items():
        known = _inventory(away.homes.look(place))
        there = _inventory(here.homes.look(after[name])) if known else None
        if known is None:
            state = "has no home"
        elif there is None:
            state = f"{known['files']} files, {known['bytes'] / 1e6:.1f} MB"
        else:
            state = "is there already" if known == there else "DIFFERS on the new hub"
        print(f"    {name}: {state}", flush=True)
        if known is not None:
            yield Home(name, place, after[name], known)


def _beside(away: Side, here: Side) -> list[Home] | None:
    """Folders of groups and of `shared/`, if both hubs have theirs on a Docker host."""
    places = away.homes.beside()
    if places is None or here.homes.beside() is None:
        print(f"  {_NOT_SEEN}")
        return None
    print(f"  {len(places)} folders of groups and of shared/:")
    return list(_found(away, here, places, places))


def _inventory(seen: Seen | None) -> dict[str, Any] | None:
    return seen.inventory() if seen else None


def move(away: Side, here: Side, home: Home) -> bool:
    """Copies a home and compares; whether both are the same now."""
    with step(home.title, counted=False) as current:
        old, new = away.homes.open(home.before), here.homes.open(home.after)
        if new.inventory() == home.known:
            current.result = "is there already"
            return True
        if problem := _copy(old, new):
            current.result = problem
            return False
        before, after = old.inventory(), new.inventory()
        if after is None or before != after:
            current.result = "was changed meanwhile: its server runs on the old hub"
            return False
        current.result = f"{after['files']} files, same checksum"
        return True


def _copy(old: Seen, new: Seen) -> str | None:
    """Streams a home from one hub to the other; the reason where that failed."""
    with subprocess.Popen(
        old.packing(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as packing:
        done = subprocess.run(
            new.unpacking(), stdin=packing.stdout, capture_output=True, check=False
        )
    return said(done.stderr.decode(errors="replace")) if done.returncode else None


def _tell(source: str, target: str, left: list[str], has_beside: bool) -> None:
    if left:
        raise Problem(
            f"Not moved: {', '.join(left)}, see above. The rest is done; the old hub is as it was. "
            "The same command goes on from here."
        )
    moved = "Accounts and homes" + (", folders of groups and of shared/" if has_beside else "")
    print(
        f"{moved} are on {target}. {_STAYS}\n"
        + ("" if has_beside else f"{_NOT_SEEN}\n")
        + f"{source} is as it was, for as long as you want it: "
        f"make down STACK={source} stops it and keeps its data."
    )
