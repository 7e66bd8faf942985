"""The settings document: all that the hub's own code (images/hub) is told, made from the args."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from ..args import secret
from ..platforms.addresses import gateway_of
from .args import HubSecretsArgs, JupyterHubHostArgs
from .servers import LimitsArgs, NotebookImageArgs

RULES_FILE = "/srv/routes/hub.yaml"


def network_document(
    args: JupyterHubHostArgs,
    name: str,
    bridge: str,
    extra_bridges: list[str],
    egress: Sequence[str] = (),
) -> dict[str, Any]:
    """What the guard has to close, and what it leaves open.

    Args:
        egress: hosts and ports that are the way out of this site.
    """
    return {
        "name": name,
        "subnet": args.network.subnet,
        "gateway": gateway_of(args.network.subnet),
        "bridge": bridge,
        "open_ports": sorted({args.network.hub_port, *args.open_ports}),
        "extra_bridges": extra_bridges,
        "reach": sorted({*args.reach, *egress}),
    }


def engine_document(
    args: JupyterHubHostArgs,
    *,
    network: dict[str, Any],
    proxy: dict[str, Any],
    homes: pulumi.Input[str],
    shared: pulumi.Input[str],
    cloud_storage: pulumi.Input[str] | None = None,
) -> dict[str, Any]:
    """What only a hub on a Docker engine is told."""
    return {
        "hub": {"address": network["gateway"], "port": args.network.hub_port},
        "proxy": proxy | {"rules_file": RULES_FILE},
        "volumes": {"homes": {"volume": homes}, "shared": {"volume": shared}},
        "network": network,
        "memory_reserve": int(args.memory_reserve),
        "spawn": {"concurrency": args.spawn_concurrency, "start_timeout": args.start_timeout},
        "cloud_storage": cloud_storage,
    }


def settings_document(
    args: JupyterHubHostArgs,
    *,
    deployment: str,
    public_url: pulumi.Input[str],
    references: list[str],
    environment: dict[str, str],
    engine: dict[str, Any] | None,
    scratch: pulumi.Input[str] | None = None,
    examples: pulumi.Input[str] | None = None,
) -> dict[str, Any]:
    """The document, with Outputs where args have them. No secrets.

    `hubkit.settings.Settings` is its other side. On Kubernetes there is no engine.
    """
    return {
        "deployment": deployment,
        "title": args.title,
        "public_url": public_url,
        "subdomains": args.subdomains,
        "engine": engine,
        "login": args.login.document(args.admins),
        "images": [_image(i, r) for i, r in zip(args.images, references, strict=True)],
        "sizes": [
            {"title": each.title, "description": each.description, "limits": _limits(each)}
            for each in args.sizes
        ],
        "named_servers": args.named_servers,
        "culling": {
            "enabled": args.culling.enabled,
            "timeout": args.culling.timeout,
            "every": args.culling.every,
            "max_age": args.culling.max_age,
            "cull_busy": args.culling.busy_kernels,
        },
        "files": {
            "groups": {
                name: group.document(name, args.login) for name, group in args.files.groups.items()
            },
            "examples": examples,
            "disk_quota": None if args.files.disk_quota is None else int(args.files.disk_quota),
            "collect": args.files.collect,
            "scratch": scratch,
            "cvmfs": args.files.cvmfs,
        },
        "announcement": args.announcement,
        "admin_access": args.admin_access,
        "environment": environment | args.environment,
    }


def secrets_document(args: HubSecretsArgs) -> pulumi.Output[str]:
    """The other document: what the hub has to keep to itself."""
    values = {
        name: secret(value) if value is not None else None
        for name in HubSecretsArgs.model_fields  # a stack's other secrets are none of the hub's
        for value in [getattr(args, name)]
    }
    return pulumi.Output.secret(pulumi.Output.json_dumps(values))


def _image(args: NotebookImageArgs, reference: str) -> dict[str, Any]:
    return {
        "title": args.title,
        "description": args.description,
        "image": reference,
        "user": f"{args.uid}:{args.gid}",
        "home": args.home,
        "limits": _limits(args),
        "size": args.size,
        "command": args.command,
        "environment": args.environment,
    }


def _limits(args: LimitsArgs) -> dict[str, Any]:
    return {
        "memory": None if args.memory_limit is None else int(args.memory_limit),
        "memory_guarantee": int(args.memory_guarantee),
        "swap": int(args.swap),
        "cpu": args.cpu_limit,
        "cpu_guarantee": args.cpu_guarantee,
        "gpus": args.gpus,
        "shm_size": int(args.shared_memory),
        "pids": args.processes,
    }
