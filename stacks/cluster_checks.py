"""Asks the cluster, before anything is made, whether what the stack file says will work there."""

from __future__ import annotations

from typing import Any

import pulumi
import yaml

from components import preflight
from components.config import StackConfig
from components.errors import ConfigError, mistakes
from components.kubernetes_cluster import api
from components.kubernetes_cluster.api import Facts
from components.kubernetes_cluster.checks import Asked
from components.kubernetes_cluster.checks import check as findings_of
from components.platforms.kubernetes import NO_WAY, kubeconfig_text

from . import apps

KEPT = ("homes", "shared", "state", "certificates")
_UNKNOWN = "<looked up: the cluster's id>"


def check(stack: str, config: StackConfig, deployment: str) -> Facts | None:
    """What the cluster says; None where there is no way to it, which only a preview may have."""
    text = kubeconfig_text(config.cluster)
    if text == NO_WAY:
        _warn("there is no kubeconfig here")
        return None
    try:
        client = api.client(text, config.cluster.context)
        facts = api.look(client, config.cluster.namespace or deployment)
    except Exception as error:  # no route, no login, no such context: the client's own words
        why = _first_line(error)
        if not pulumi.runtime.is_dry_run():
            raise ConfigError(
                f"The cluster of {stack} can't be reached: {why}. Nothing was changed. Is the "
                "kubeconfig current, and this machine on the cluster's network?"
            ) from None
        _warn(why)
        return None
    found = findings_of(_asked(config, deployment), facts)
    for note in preflight.notes(found):
        pulumi.log.info(f"not known beforehand: {note}")
    if refused := preflight.refused(found):
        raise mistakes(refused, f"stacks/Pulumi.{stack}.yaml")
    return facts


def _warn(why: str) -> None:
    pulumi.log.warn(
        f"no way to the cluster ({why}): not checked whether it is the same one as before, "
        "has the storage and ingress classes, room for the sizes, and a namespace that is free"
    )


def keep_to(found: str | None) -> None:
    """Keeps in the state which cluster it is, and refuses another one: data is in the first.

    Args:
        found: id of a cluster that exists, None where it can't be asked; or how the stack makes it.
    """
    kept = pulumi.Stash(
        "cluster-id",
        input=found or _UNKNOWN,
        opts=pulumi.ResourceOptions(ignore_changes=["input"]),
    )
    if found:
        kept.output.apply(lambda known: _same(str(known), found))


def _same(known: str, found: str) -> None:
    if known not in (found, _UNKNOWN):
        raise ConfigError(
            f"jupyterhub:cluster: found another cluster ({found}); allowed: the "
            f"cluster that this stack is in ({known}). Data can't move with it: make a new stack "
            "for another cluster."
        )


def _asked(config: StackConfig, deployment: str) -> Asked:
    kinds = ("sizes",) if config.hub.sizes else ("images",)
    sizes = {
        f"hub.{kind}.{number}": size
        for kind in kinds
        for number, size in enumerate(getattr(config.hub, kind))
    }
    return Asked(
        namespace=config.cluster.namespace or deployment,
        releases=[f"{deployment}-{name}" for name in ("proxy", "hub", "dask", *apps.RELEASES)],
        storage_class=config.cluster.storage_class,
        ingress_class=config.proxy.cluster.ingress_class,
        volumes={name: getattr(config.volumes, name) for name in KEPT},
        sizes=sizes,
        has_pools=bool(config.cluster.pools),
        brings_gpus=config.cluster.brings_gpus,
    )


def endpoint(kubeconfig: str) -> str:
    """The address of the cluster's API."""
    document: dict[str, Any] = yaml.safe_load(kubeconfig) or {}
    clusters = document.get("clusters") or [{}]
    return str(clusters[0].get("cluster", {}).get("server", ""))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
