"""JupyterHubHost in a Kubernetes cluster: the chart Zero to JupyterHub, with our hub image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from ..args import secret
from ..buckets.component import Buckets
from ..images import ImageStore
from ..kubernetes_cluster.pools import PoolArgs
from ..platforms.charts import CHARTS, merged, release
from ..platforms.kubernetes import KubernetesCluster
from ..platforms.policies import names, ways_out
from ..shared_volume.component import SharedVolume
from ..traefik_proxy.component import TraefikProxy
from .args import HubSecretsArgs, JupyterHubHostArgs
from .made import Made
from .servers import LimitsArgs, NotebookImageArgs
from .settings import secrets_document, settings_document

Values = dict[str, Any]
_CONFIGURE = "from hubkit.kubernetes import configure\n\nconfigure(c)\n"
_SETTINGS, _SECRETS = "/etc/jupyterhub/settings.json", "/etc/jupyterhub/secrets.json"
# Once, when a folder is new: on NFS root may not even say again what is so.
_GIVE = """
for folder in /own/*; do
  [ "$(stat -c %u:%g "$folder")" = OWNER ] && continue
  chown OWNER "$folder" || exit 1
  case $folder in */home) chmod 0700 "$folder" ;; esac
done
"""
_FOLDER = "{escaped_username}"  # a home's, on a volume for all: as on a Docker host
_OWN_FOLDERS = "folders"  # name of the container that gives users their folders


def create(
    name: str,
    args: JupyterHubHostArgs,
    secrets: HubSecretsArgs,
    cluster: KubernetesCluster,
    images: ImageStore,
    proxy: TraefikProxy,
    volumes: Mapping[str, SharedVolume],
    parent: pulumi.Resource,
    buckets: Buckets | None = None,
) -> Made:
    """Makes the secret and the chart's release, behind the proxy's ingress."""
    hub_image = images.get(args.image).reference
    references = [images.get(each.source).reference for each in args.images]
    settings = settings_document(
        args,
        deployment=cluster.deployment,
        public_url=proxy.url,
        references=references,
        environment=images.egress.environment(),
        engine=None,
    )
    kept = kubernetes.core.v1.Secret(
        f"{name}-secrets",
        metadata={
            "name": cluster.named(f"{name}-secrets"),
            "namespace": cluster.namespace,
            "labels": cluster.labels("hub"),
        },
        string_data={
            "secrets.json": secrets_document(secrets),
            # What the chart reads: the database's address is no business of its own secret.
            **({"values.yaml": _database(secret(db))} if (db := args.pods.database) else {}),
        },
        opts=cluster.options(parent),
    )
    values = chart_values(
        args,
        deployment=cluster.deployment,
        hub_image=hub_image,
        references=references,
        settings=pulumi.Output.json_dumps(settings, indent=1),
        secret=cluster.named(f"{name}-secrets"),
        # Another content is another version: the hub's pod starts anew with it.
        secret_version=kept.metadata.resource_version.apply(str),
        volumes={key: volume.made.volume for key, volume in volumes.items()},
        homes_kind=volumes["homes"].made.kind,
        homes_size=volumes["homes"].args.size or 10,
        storage_class=volumes["homes"].args.type or cluster.storage_class,
        ingress=proxy.made.ingress,
        pools=cluster.pools,
        environment=images.egress.environment(),
        network_policy=network_policy(
            [*args.reach, *images.egress.hosts()],
            mounts=[each.args.server for each in volumes.values()],
        ),
    )
    release(
        name,
        cluster,
        parent,
        chart=replace(CHARTS["jupyterhub"], version=args.pods.chart),
        values=with_own(values, args.values),
        depends_on=[kept, proxy, *volumes.values()],
    )
    return Made(None, None, pulumi.Output.from_input(references))


def _database(url: pulumi.Output[str]) -> pulumi.Output[str]:
    return pulumi.Output.json_dumps({"hub": {"db": {"type": "postgres", "url": url}}})


def chart_values(
    args: JupyterHubHostArgs,
    *,
    deployment: str,
    hub_image: str,
    references: Sequence[str],
    settings: Any,
    secret: str,
    secret_version: Any,
    volumes: Mapping[str, Any],
    homes_kind: str,
    homes_size: int,
    storage_class: str | None,
    ingress: Mapping[str, Any],
    pools: Sequence[PoolArgs] = (),
    environment: Mapping[str, str] | None = None,
    network_policy: Values,
) -> Values:
    """The chart's values. What the hub's own code does (login, culling) is in `settings`."""
    first = args.images[0]
    pods = args.pods
    return {
        # The service `hub` and the others keep the chart's short names: running servers know them.
        "fullnameOverride": "",
        "imagePullSecrets": [{"name": name} for name in pods.pull_secrets],
        "hub": _hub(args, deployment, hub_image, settings, secret, secret_version, volumes)
        | ({"nodeSelector": pods.core_nodes} if pods.core_nodes else {}),
        "proxy": {
            "service": {"type": "ClusterIP"},
            "chp": {
                "pdb": {"enabled": pods.disruption_budgets},
                "nodeSelector": pods.core_nodes,
            },
        },
        "ingress": dict(ingress),
        "singleuser": {
            "image": _named(references[0]),
            "uid": first.uid,
            "fsGid": first.gid,
            "cmd": list(first.command),
            "startTimeout": pods.start_timeout,
            "nodeSelector": pods.nodes,
            "extraEnv": literal({**(environment or {}), **args.environment, **first.environment}),
            "events": True,
            "storage": _storage(args, volumes, homes_kind, homes_size, storage_class),
            "initContainers": _folders(args, references[0], homes_kind),
            "networkPolicy": network_policy,
            "cloudMetadata": {"blockWithIptables": True, "ip": "169.254.169.254"},
            "profileList": profiles(args, references, pools),
            **_limits(_offered(args), pools),
        },
        "cull": {"enabled": False},  # the hub's own code does it, and lets servers report first
        "prePuller": {
            "hook": {"enabled": pods.pull_ahead},
            "continuous": {"enabled": pods.pull_ahead},
        },
        "scheduling": {
            "podPriority": {"enabled": pods.placeholders > 0},
            "userPlaceholder": {
                "enabled": pods.placeholders > 0,
                "replicas": pods.placeholders,
            },
        },
    }


def _hub(
    args: JupyterHubHostArgs,
    deployment: str,
    image: str,
    settings: Any,
    secret: str,
    secret_version: Any,
    volumes: Mapping[str, Any],
) -> Values:
    return {
        "image": _named(image),
        "config": {
            # Replaced by the hub's own code; without it nobody gets in.
            "JupyterHub": {"authenticator_class": "null", "admin_access": args.admin_access},
        },
        "db": {
            # `other`, as the chart's own volume would go with the release. Our code puts it on
            # ours, and copies it before another JupyterHub opens it.
            "type": "other",
            "url": "sqlite:///jupyterhub.sqlite",
            "upgrade": True,
        },
        **({"existingSecret": secret} if args.pods.database else {}),
        "annotations": {"pulumi-jupyterhub/secrets": secret_version},
        "extraConfig": {"10-hubkit": _CONFIGURE},
        "extraFiles": {"settings.json": {"mountPath": _SETTINGS, "stringData": settings}},
        "extraVolumes": [
            {"name": "hub-secrets", "secret": {"secretName": secret, "defaultMode": 0o440}},
            {"name": "state", "persistentVolumeClaim": {"claimName": volumes["state"]}},
        ],
        "extraVolumeMounts": [
            {
                "name": "hub-secrets",
                "mountPath": _SECRETS,
                "subPath": "secrets.json",
                "readOnly": True,
            },
            {"name": "state", "mountPath": "/srv/state"},
        ],
        "concurrentSpawnLimit": args.spawn_concurrency or 64,
        "allowNamedServers": args.named_servers > 0,
        "namedServerLimitPerUser": args.named_servers,
        "pdb": {"enabled": args.pods.disruption_budgets},
    }


def literal(environment: Mapping[str, pulumi.Input[str]]) -> dict[str, pulumi.Input[str]]:
    """Variables as they are: KubeSpawner fills in what is in braces, and JSON has some."""
    return {name: _doubled(value) for name, value in environment.items()}


def _doubled(value: pulumi.Input[str]) -> pulumi.Input[str]:
    if isinstance(value, str):
        return value.replace("{", "{{").replace("}", "}}")
    return pulumi.Output.all(value).apply(lambda known: _doubled(str(known[0])))


def _named(reference: str) -> Values:
    """The chart's two halves of a reference; it joins them by a colon, also those of a digest."""
    name, colon, tag = reference.rpartition(":")
    return {"name": name, "tag": tag} if colon and "/" not in tag else _named(f"{reference}:latest")


def _storage(
    args: JupyterHubHostArgs,
    volumes: Mapping[str, Any],
    homes_kind: str,
    size: int,
    storage_class: str | None,
) -> Values:
    home = args.images[0].home
    shared_memory = max(int(limits.shared_memory) for _, limits in _all_limits(args))
    own: Values = {
        "type": "dynamic",
        "capacity": f"{size}Gi",
        "dynamic": {
            "pvcNameTemplate": volumes["homes"],
            "volumeNameTemplate": "home",
            "storageClass": storage_class,
        },
    }
    common: Values = {
        "type": "static",
        "static": {"pvcName": volumes["homes"], "subPath": _FOLDER},
    }
    return {
        **(own if homes_kind == "per_user" else common),
        "homeMountPath": home,
        "extraVolumes": [
            {"name": "shared", "persistentVolumeClaim": {"claimName": volumes["shared"]}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": shared_memory}},
        ],
        "extraVolumeMounts": [
            {"name": "shared", "mountPath": f"{home}/shared", "readOnly": True},
            {
                "name": "shared",
                "mountPath": f"{home}/shared/{{username}}",
                "subPath": "{username}",
            },
            {"name": "shm", "mountPath": "/dev/shm"},
        ],
    }


def _folders(args: JupyterHubHostArgs, reference: str, homes_kind: str) -> list[Values]:
    """The kubelet makes folders of a shared volume as root: this makes them the user's.

    As root with no capability but these two, and nothing of it is recursive.
    """
    first = args.images[0]
    mounts = [("shared", "/own/shared", "{username}")]
    if homes_kind != "per_user":
        mounts.append(("home", "/own/home", _FOLDER))
    return [
        {
            "name": _OWN_FOLDERS,
            "image": reference,
            "command": ["sh", "-c", _GIVE.replace("OWNER", f"{first.uid}:{first.gid}")],
            "securityContext": {
                "runAsUser": 0,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "FOWNER"]},
            },
            "volumeMounts": [
                {"name": name, "mountPath": path, "subPath": folder}
                for name, path, folder in mounts
            ],
        }
    ]


def network_policy(
    reach: Sequence[str] = (), mounts: Sequence[pulumi.Input[str] | None] = ()
) -> Values:
    """Servers reach the internet, DNS and the hub; nobody but the hub's proxy reaches them.

    `reach` and `mounts` are as in `ways_out`.
    """
    return {
        "enabled": True,
        "ingress": [],
        # The chart's own rules for names don't know of a cache on the node (169.254.20.10).
        "egress": [*ways_out(reach, mounts), names()],
        "interNamespaceAccessLabels": "ignore",
        "allowedIngressPorts": [],
        "egressAllowRules": {
            "cloudMetadataServer": False,
            "dnsPortsCloudMetadataServer": False,
            "dnsPortsKubeSystemNamespace": True,
            "dnsPortsPrivateIPs": True,
            "nonPrivateIPs": False,  # the chart's own idea of private lacks two ranges
            "privateIPs": False,
        },
    }


def with_own(values: Mapping[str, Any], own: Mapping[str, Any]) -> Values:
    """One's own values over ours. Ways of servers add up, as they do in a policy.

    Who closes the internet by the chart's own switch has it closed.
    """
    found = merged(values, own)
    given = own.get("singleuser", {}).get("networkPolicy", {})
    ours = values["singleuser"]["networkPolicy"]["egress"]
    if given.get("egressAllowRules", {}).get("nonPrivateIPs") is False:
        ours = ours[1:]
    found["singleuser"]["networkPolicy"]["egress"] = [*ours, *given.get("egress", [])]
    return found


def profiles(
    args: JupyterHubHostArgs, references: Sequence[str], pools: Sequence[PoolArgs] = ()
) -> list[Values]:
    """The spawn page: a profile for each image, with the sizes as its choice. One choice: none."""
    if len(args.images) == 1 and len(args.sizes) < 2:
        return []
    return [
        _profile(args, image, reference, pools, image is args.images[0])
        for image, reference in zip(args.images, references, strict=True)
    ]


def _profile(
    args: JupyterHubHostArgs,
    image: NotebookImageArgs,
    reference: str,
    pools: Sequence[PoolArgs],
    default: bool,
) -> Values:
    override: Values = {
        "image": reference,
        "uid": image.uid,
        "fs_gid": image.gid,
        "cmd": list(image.command),
        "environment": literal(image.environment),
    }
    profile: Values = {
        "display_name": image.title,
        "slug": slug(image.title),
        "description": image.description,
        "default": default,
    }
    if not args.sizes:
        return profile | {"kubespawner_override": override | spawner_limits(image, pools)}
    proposed = image.size or args.sizes[0].title
    choices = {
        slug(size.title): {
            "display_name": f"{size.title}: {size.description}" if size.description else size.title,
            "default": size.title == proposed,
            "kubespawner_override": spawner_limits(size, pools),
        }
        for size in args.sizes
    }
    return profile | {
        "kubespawner_override": override,
        "profile_options": {"size": {"display_name": "Size", "choices": choices}},
    }


def slug(title: str) -> str:
    """A title in the letters that a choice's name may have."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "x"


def spawner_limits(limits: LimitsArgs, pools: Sequence[PoolArgs] = ()) -> Values:
    """Limits in KubeSpawner's words; a missing one is said, for it may not be the default's."""
    gpus = {"nvidia.com/gpu": str(limits.gpus)} if limits.gpus else {}
    pool = pool_for(limits, pools)
    return {
        "mem_limit": None if limits.memory_limit is None else int(limits.memory_limit),
        "mem_guarantee": int(limits.memory_guarantee),
        "cpu_limit": limits.cpu_limit,
        "cpu_guarantee": limits.cpu_guarantee,
        "extra_resource_limits": gpus,
        "extra_resource_guarantees": gpus,
        **({"node_selector": pool.labels, "tolerations": pool.tolerations} if pool else {}),
    }


def _limits(limits: LimitsArgs, pools: Sequence[PoolArgs]) -> Values:
    """The same in the chart's words, for who gets no choice."""
    gpus = {"nvidia.com/gpu": str(limits.gpus)} if limits.gpus else {}
    pool = pool_for(limits, pools)
    return {
        "memory": {
            "limit": None if limits.memory_limit is None else int(limits.memory_limit),
            "guarantee": int(limits.memory_guarantee),
        },
        "cpu": {"limit": limits.cpu_limit, "guarantee": limits.cpu_guarantee},
        "extraResource": {"limits": gpus, "guarantees": gpus},
        **({"extraTolerations": pool.tolerations} if pool else {}),
    }


def pool_for(limits: LimitsArgs, pools: Sequence[PoolArgs]) -> PoolArgs | None:
    """The pool that a size has to be on: one with GPUs; anything else goes anywhere."""
    return next((pool for pool in pools if limits.gpus and pool.holds(limits)), None)


def _all_limits(args: JupyterHubHostArgs) -> list[tuple[str, LimitsArgs]]:
    offered = args.sizes or args.images
    return [(each.title, each) for each in offered]


def _offered(args: JupyterHubHostArgs) -> LimitsArgs:
    """The limits of who chooses nothing."""
    proposed = args.images[0].size
    by_title = dict(_all_limits(args))
    return by_title[proposed] if proposed else next(iter(by_title.values()))
