"""Where a hub's homes are: behind its own container's door, or in a cluster behind a pod's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from ..setup.steps import Problem
from . import cluster, doors
from .cluster import Cluster
from .doors import Door
from .homes_pod import HomesPod
from .stack import Stack


@dataclass(frozen=True)
class Place:
    """Where a home is: a folder, in a cluster of a claim; `manifest` makes a user's own claim.

    What lies beside homes has `rights` of its own, and maybe another `volume` in the hub.
    """

    folder: str
    claim: str | None = None
    owner: str | None = None
    manifest: Mapping[str, Any] | None = None
    rights: str | None = None
    volume: str | None = None


@dataclass(frozen=True)
class Seen:
    """A home behind a door."""

    door: Door
    place: Place

    def inventory(self) -> dict[str, Any] | None:
        """How much there is, and its checksum; None for no home."""
        found: dict[str, Any] | None = json.loads(self.door.ask(*self._words("inventory")))
        return found

    def packing(self) -> list[str]:
        """The command that writes it as an archive."""
        return self.door.command(*self._words("pack"))

    def unpacking(self) -> list[str]:
        """The command that makes it from an archive."""
        owner = ("--owner", self.place.owner) if self.place.owner else ()
        rights = ("--mode", self.place.rights) if self.place.rights else ()
        return self.door.command(*self._words("unpack"), *owner, *rights)

    def _words(self, what: str) -> tuple[str, ...]:
        volume = ("--homes", self.place.volume) if self.place.volume else ()
        # Nothing marks a claim, and nothing has to: without it there would be no pod.
        return (*volume, *(("--claim",) if self.place.claim else ()), what, self.place.folder)


class Homes(Protocol):
    """The homes of a hub."""

    def places(self, folders: Mapping[str, str]) -> dict[str, Place]:
        """Where people's homes are. `folders`: their names on a volume for all."""

    def look(self, place: Place) -> Seen | None:
        """A home; None where nothing is that it could be on."""

    def open(self, place: Place) -> Seen:
        """The same; what it has to be on is made first."""

    def beside(self) -> dict[str, Place] | None:
        """Folders of groups and of `shared/`; None where the hub sees none of them."""


@dataclass(frozen=True)
class OnDocker:
    """On a volume that the hub's container has."""

    door: Door

    def places(self, folders: Mapping[str, str]) -> dict[str, Place]:
        """Folders of the volume."""
        return {name: Place(folder) for name, folder in folders.items()}

    def look(self, place: Place) -> Seen | None:
        """Behind the container's door."""
        return Seen(self.door, place)

    def beside(self) -> dict[str, Place] | None:
        """As they are called in a home."""
        told = json.loads(self.door.ask("beside"))
        return {name: Place(**place) for name, place in told.items()}

    def open(self, place: Place) -> Seen:
        """Behind the container's door."""
        return Seen(self.door, place)


@dataclass(frozen=True)
class InCluster:
    """On claims, which a pod of its own mounts for as long as it takes."""

    way: Cluster
    hub: Door
    pod: HomesPod

    def places(self, folders: Mapping[str, str]) -> dict[str, Place]:
        """As the hub would mount them: only its spawner knows the names of claims."""
        told = json.loads(self.hub.ask("claims", given=json.dumps(list(folders))))
        return {name: Place(**place) for name, place in told.items()}

    def look(self, place: Place) -> Seen | None:
        """A claim that no pod has used yet holds nothing: none is made to look at it."""
        return self._behind_pod(place) if self._phase(place) == "Bound" else None

    def open(self, place: Place) -> Seen:
        """By a pod; a user's own claim is made as the spawner would make it."""
        if not self._phase(place):
            if not (place.manifest and self.pod.writes):
                raise Problem(f"{self.way.stack} has no claim {place.claim}: is the hub up?")
            self.way.ask("create", "--filename=-", given=json.dumps(place.manifest))
        return self._behind_pod(place)

    def beside(self) -> dict[str, Place] | None:
        """The hub's pod has no volumes of users', and `shared/` is a claim of its own."""
        return None

    def _phase(self, place: Place) -> str:
        look = ("--ignore-not-found", "--output=jsonpath={.status.phase}")
        return self.way.ask("get", "persistentvolumeclaim", str(place.claim), *look).strip()

    def _behind_pod(self, place: Place) -> Seen:
        return Seen(Door(self.way.stack, self.pod.mount(str(place.claim))), place)


@dataclass(frozen=True)
class Side:
    """One of the two hubs."""

    hub: Door
    homes: Homes


@contextmanager
def side(stack: Stack, writes: bool) -> Iterator[Side]:
    """A stack's hub, wherever it is; whether its homes are to be written to."""
    if not stack.is_in_cluster:
        door = doors.on_docker(stack)
        yield Side(door, OnDocker(door))
        return
    with cluster.way(stack) as way, closing(HomesPod(way, writes)) as pod:
        door = Door(stack.name, way.into(cluster.HUB))
        yield Side(door, InCluster(way, door, pod))
