"""Spark in a Kubernetes cluster: the hub's rights, and what hub and notebooks are told.

Why it is so: docs/decisions/0021-spark-in-a-cluster.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from ..errors import ConfigError
from ..kubernetes_cluster.pools import GPU, PoolArgs
from ..platforms.kubernetes import LABEL, KubernetesCluster
from .args import SparkArgs

Values = dict[str, Any]
_SETTINGS = "/etc/jupyterhub/spark.json"  # of the hub
_CONFIG = "/etc/spark"  # of the notebooks
_TEMPLATE = f"{_CONFIG}/executor.yaml"
# Fixed, so that policies can name them. A second session in one server takes the next ones.
_DRIVER, _BLOCKS, _LAST = 20000, 20100, 20199
_LONGEST = 63 - 20  # of the namespaces' beginning: a user's name has to follow
_HUB = "hub"  # the chart's name of the hub's account
_MIB = 1024**2
_RBAC = "rbac.authorization.k8s.io"


def prefix(deployment: str) -> str:
    """What names of users' namespaces begin with. No user's name has `--` in it: see hubkit."""
    return f"{deployment}--spark--"


def create(name: str, args: SparkArgs, cluster: KubernetesCluster, parent: pulumi.Resource) -> str:
    """Makes the rights: users' to pods in their namespace, the hub's to make such namespaces."""
    begins = prefix(cluster.deployment)
    if len(begins) > _LONGEST:
        raise ConfigError(
            f"spark: found a stack whose namespaces would begin with {begins}; allowed: "
            f"{_LONGEST} characters. Give the stack a shorter name. Nothing was changed."
        )
    options = cluster.options(parent)
    driver = cluster.named(name)
    kubernetes.rbac.v1.ClusterRole(
        f"{name}-driver", metadata=_metadata(driver, cluster), rules=DRIVER, opts=options
    )
    fences = [
        _policy(f"{name}-hub", fence_spec(begins, cluster.namespace), cluster, parent),
        _policy(f"{name}-executors", executors_spec(_marks(cluster.deployment)), cluster, parent),
    ]
    hub = _metadata(cluster.named(f"{name}-hub"), cluster)
    kubernetes.rbac.v1.ClusterRole(
        f"{name}-hub-role", metadata=hub, rules=hub_rules(driver), opts=options
    )
    kubernetes.rbac.v1.ClusterRoleBinding(
        f"{name}-hub-may",
        metadata=hub,
        role_ref={"apiGroup": _RBAC, "kind": "ClusterRole", "name": hub["name"]},
        subjects=[_hubs_account(cluster)],
        # Never without the fences.
        opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=fences)),
    )
    _accounts(name, cluster, parent)
    return begins


# What a driver needs, in its user's namespace only. No Secrets, no Services, no way into a pod.
DRIVER: list[Values] = [
    {
        "apiGroups": [""],
        "resources": ["pods"],
        "verbs": ["create", "get", "list", "watch", "patch", "delete", "deletecollection"],
    }
]


def hub_rules(driver: str) -> list[Values]:
    """What the hub needs to make a namespace and to take executors away. It can read nothing."""
    return [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["create", "patch"]},
        {
            "apiGroups": ["networking.k8s.io"],
            "resources": ["networkpolicies"],
            "verbs": ["create", "patch"],
        },
        {"apiGroups": [_RBAC], "resources": ["rolebindings"], "verbs": ["create"]},
        # It may give this role to somebody, and no other.
        {
            "apiGroups": [_RBAC],
            "resources": ["clusterroles"],
            "verbs": ["bind"],
            "resourceNames": [driver],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["deletecollection"]},
    ]


def fence_spec(begins: str, namespace: str) -> Values:
    """Keeps the hub's account to the users' namespaces, and its own: a role can't say a prefix."""
    own = f"request.namespace == '{namespace}' || request.namespace.startsWith('{begins}')"
    named = f"object.metadata.name.startsWith('{begins}')"
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                _matching("", "namespaces", "resourcequotas", "pods"),
                _matching("networking.k8s.io", "networkpolicies"),
                _matching(_RBAC, "rolebindings"),
            ]
        },
        # Nobody else's requests are looked at.
        "matchConditions": [
            {
                "name": "of-the-hub",
                "expression": (
                    f"request.userInfo.username == 'system:serviceaccount:{namespace}:{_HUB}'"
                ),
            }
        ],
        "validations": [
            {
                "expression": f"request.resource.resource == 'namespaces' ? {named} : ({own})",
                "message": f"the hub acts in namespaces that begin with {begins} only",
            }
        ],
    }


def executors_spec(labels: Mapping[str, str]) -> Values:
    """Keeps users' pods from pushing others off their nodes: no role and no quota can say that."""
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": dict(labels)},
            "resourceRules": [_matching("", "pods", on=("CREATE",))],
        },
        "validations": [
            {
                "expression": "!has(object.spec.priority) || object.spec.priority <= 0",
                "message": "an executor goes before nobody: no priority class",
            },
            {
                "expression": "!has(object.spec.nodeName) || object.spec.nodeName == ''",
                "message": "the scheduler chooses an executor's node",
            },
        ],
    }


def _matching(
    group: str, *resources: str, on: Sequence[str] = ("CREATE", "UPDATE", "DELETE")
) -> Values:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": list(on),
        "resources": list(resources),
    }


def _policy(
    name: str, spec: Values, cluster: KubernetesCluster, parent: pulumi.Resource
) -> pulumi.Resource:
    """A rule that the cluster's API checks, in force."""
    metadata = _metadata(cluster.named(name), cluster)
    policy = kubernetes.admissionregistration.v1.ValidatingAdmissionPolicy(
        name, metadata=metadata, spec=spec, opts=cluster.options(parent)
    )
    made: pulumi.Resource = kubernetes.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
        f"{name}-holds",
        metadata=metadata,
        spec={"policyName": metadata["name"], "validationActions": ["Deny"]},
        opts=pulumi.ResourceOptions.merge(
            cluster.options(parent), pulumi.ResourceOptions(depends_on=[policy])
        ),
    )
    return made


def _accounts(name: str, cluster: KubernetesCluster, parent: pulumi.Resource) -> None:
    """In its own namespace the hub makes the accounts that users' servers run as."""
    metadata = _metadata(cluster.named(f"{name}-accounts"), cluster, cluster.namespace)
    rule = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["create"]}
    kubernetes.rbac.v1.Role(
        f"{name}-accounts", metadata=metadata, rules=[rule], opts=cluster.options(parent)
    )
    kubernetes.rbac.v1.RoleBinding(
        f"{name}-accounts-may",
        metadata=metadata,
        role_ref={"apiGroup": _RBAC, "kind": "Role", "name": metadata["name"]},
        subjects=[_hubs_account(cluster)],
        opts=cluster.options(parent),
    )


def _marks(deployment: str) -> dict[str, str]:
    """Labels of users' namespaces."""
    return {f"{LABEL}/deployment": deployment, f"{LABEL}/role": "spark"}


def _hubs_account(cluster: KubernetesCluster) -> Values:
    return {"kind": "ServiceAccount", "name": _HUB, "namespace": cluster.namespace}


def _metadata(name: str, cluster: KubernetesCluster, namespace: str | None = None) -> Values:
    own = {"namespace": namespace} if namespace else {}
    return {"name": name, **own, "labels": cluster.labels("spark")}


def for_hub(
    args: SparkArgs,
    *,
    deployment: str,
    owner: tuple[int, int],
    pools: Sequence[PoolArgs] = (),
    name: str = "spark",
) -> Values:
    """What the hub's chart is told: the hub's document, and files for all notebooks.

    Args:
        owner: user and group that executors run as: the notebooks' own.
    """
    pool = next((each for each in pools if each.name == args.pool), None)
    told = json.dumps(document(args, deployment, name), indent=1)
    return {
        "hub": {"extraFiles": {"spark.json": {"mountPath": _SETTINGS, "stringData": told}}},
        "singleuser": {
            "extraEnv": {"SPARK_CONF_DIR": _CONFIG},
            "extraFiles": {
                "spark-defaults.conf": {
                    "mountPath": f"{_CONFIG}/spark-defaults.conf",
                    "stringData": defaults(args),
                },
                "executor.yaml": {
                    "mountPath": _TEMPLATE,
                    "stringData": json.dumps(template(owner, pool), indent=1),
                },
            },
        },
    }


def document(args: SparkArgs, deployment: str, name: str) -> Values:
    """What the hub's own code is told. `hubkit.spark.Told` is its other side."""
    memory = int(args.memory) // _MIB * args.executors
    most: Values = {
        "pods": args.executors,
        "limits.cpu": args.executors * args.cores,
        "limits.memory": f"{memory}Mi",
        "persistentvolumeclaims": 0,
        "services": 0,
        f"requests.{GPU}": 0,
    }
    return {
        "prefix": prefix(deployment),
        "role": f"{deployment}-{name}",
        "labels": _marks(deployment),
        "quota": {key: str(value) for key, value in most.items()},
        "ports": [_DRIVER, _LAST],
        "api": list(args.api),
        "reach": list(args.reach),
    }


def defaults(args: SparkArgs) -> str:
    """spark-defaults.conf: all that is the same for everybody."""
    memory = int(args.memory) // _MIB
    jvm = memory * 6 // 10
    found = {
        "spark.master": "k8s://https://kubernetes.default.svc",
        "spark.submit.deployMode": "client",
        "spark.driver.port": _DRIVER,
        "spark.driver.blockManager.port": _BLOCKS,
        "spark.blockManager.port": _BLOCKS,
        # Others may be on the same node, and see what goes by.
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.executor.cores": args.cores,
        "spark.kubernetes.executor.limit.cores": args.cores,
        "spark.executor.memory": f"{jvm}m",
        "spark.executor.memoryOverhead": f"{memory - jvm}m",
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        "spark.dynamicAllocation.maxExecutors": args.executors,
        "spark.dynamicAllocation.executorIdleTimeout": f"{args.idle}s",
        "spark.kubernetes.executor.podTemplateFile": _TEMPLATE,
        # Rights that a driver doesn't have, and doesn't need.
        "spark.kubernetes.executor.disableConfigMap": "true",
        "spark.kubernetes.driver.service.deleteOnTermination": "false",
        "spark.kubernetes.driver.ownPersistentVolumeClaim": "false",
        **args.settings,
    }
    return "".join(f"{key} {value}\n" for key, value in found.items())


def template(owner: tuple[int, int], pool: PoolArgs | None = None) -> Values:
    """The executors' pod, as a namespace that is `restricted` lets it in."""
    where: Values = {"nodeSelector": pool.labels, "tolerations": pool.tolerations} if pool else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": owner[0],
                "runAsGroup": owner[1],
                "fsGroup": owner[1],
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "executor",
                    "command": ["spark-executor"],
                    "workingDir": "/tmp",
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
            **where,
        },
    }
