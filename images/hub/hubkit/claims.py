"""Where homes are in a cluster: on which claim, in which folder of it, as the spawner says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from jupyterhub import orm
from kubernetes_asyncio.client import ApiClient

from . import chart
from .pods import PodSpawner

ALL = "."  # the folder of a home that has a claim of its own
_HOME = "home"  # name of the volume, see the hub's chart values


class NoClaim(Exception):
    """Homes are not on claims. Its text says so."""


def homes(db: Any, people: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Everybody's home: claim, folder, owner, and the manifest of a claim of its user's own."""
    return asyncio.run(_homes(db, people))  # the spawner wants a loop


async def _homes(db: Any, people: Iterable[str]) -> dict[str, dict[str, Any]]:
    config = chart.configuration()
    api = ApiClient()
    try:
        return {name: _home(_spawner(config, db, name), api) for name in people}
    finally:
        await api.close()


def _spawner(config: Any, db: Any, name: str) -> PodSpawner:
    """As the hub would make it for somebody's first server, who may never have been here."""
    known = orm.User.find(db, name)
    user = SimpleNamespace(name=name, id=known.id if known else None, url=f"/user/{name}")
    made = PodSpawner(user=user, config=config)
    if known and (server := known.orm_spawners.get("")):
        made.load_state(server.state or {})  # it remembers the claim
    return made


def _home(spawner: PodSpawner, api: ApiClient) -> dict[str, Any]:
    volume = _named(spawner, spawner.volumes).get("persistentVolumeClaim", {})
    claim, mount = volume.get("claimName"), _named(spawner, spawner.volume_mounts)
    if claim is None:
        raise NoClaim(f"The homes of this hub are on no claim: its volume `{_HOME}` is none.")
    own = spawner.storage_pvc_ensure and claim == spawner.pvc_name
    return {
        "claim": claim,
        "folder": mount.get("subPath") or ALL,
        "owner": f"{spawner.uid}:{spawner.fs_gid}",
        "manifest": api.sanitize_for_serialization(spawner.get_pvc_manifest()) if own else None,
    }


def _named(spawner: PodSpawner, given: Any) -> dict[str, Any]:
    """The volume, or mount, of homes, with the user's names in it."""
    known = spawner._expand_all(list(given.values()) if isinstance(given, dict) else given)
    return next((each for each in known if each["name"] == _HOME), {})
