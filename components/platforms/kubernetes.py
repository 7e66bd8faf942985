"""A Kubernetes cluster as a value: where a hub's pods run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pulumi

from ..args import secret
from ..errors import ConfigError
from ..kubernetes_cluster.args import ClusterKind, KubernetesClusterArgs
from ..kubernetes_cluster.pools import PoolArgs
from .pick import needs
from .portable import portable

if TYPE_CHECKING:
    import pulumi_kubernetes as kubernetes

    from ..kubernetes_cluster.made import Made

LABEL = "pulumi-jupyterhub"
# Stands for a kubeconfig in a preview that has none: it leads nowhere.
NO_WAY = """\
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "https://preview.invalid"}}]
users: [{name: none, user: {}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
current-context: none
"""


@dataclass(frozen=True)
class KubernetesCluster:
    """A namespace of a cluster, its provider, and the prefix that marks everything made in it.

    `deployment` is that prefix (`jupyterhub-class`): two stacks in one cluster differ in it.

    Attributes:
        namespace: where everything is.
        kubeconfig: the way in, a secret.
        context: in the kubeconfig; None is its current one.
        storage_class: of new volumes; None is the cluster's default.
        gates: what everything in the cluster waits for: its nodes, its namespace.
        pools: its nodes by size, as far as they are said.
        is_own: whether the stack has made the cluster.
        protects_claims: False where the disk that claims are on is what is protected.
    """

    platform: ClassVar[str] = "kubernetes"

    deployment: str
    namespace: str
    provider: kubernetes.Provider
    kubeconfig: pulumi.Output[str]
    context: str | None = None
    storage_class: str | None = None
    gates: tuple[pulumi.Resource, ...] = ()
    pools: tuple[PoolArgs, ...] = ()
    is_own: bool = False
    protects_claims: bool = True

    @classmethod
    def connect(
        cls,
        deployment: str,
        args: KubernetesClusterArgs,
        made: Made | None = None,
        parent: pulumi.Resource | None = None,
    ) -> KubernetesCluster:
        """Names the cluster: one that exists, or that the stack has `made`.

        Nothing connects before the first resource is made.
        """
        kubeconfig = made.kubeconfig if made else kubeconfig_of(args)
        namespace = args.namespace or deployment
        provider = _provider(deployment, args, namespace, kubeconfig, parent)
        gates = tuple(made.ready) if made else ()
        if not args.namespace:
            gates = (_namespace(namespace, provider, parent, gates),)
        return cls(
            deployment,
            namespace,
            provider,
            kubeconfig,
            args.context,
            args.storage_class or (made.storage_class if made else None),
            gates,
            tuple(args.pools),
            is_own=made is not None,
            protects_claims=args.kind is not ClusterKind.k3s,
        )

    def named(self, role: str) -> str:
        """Name of an object in the namespace: `jupyterhub-class-homes`."""
        return f"{self.deployment}-{role}"

    def labels(self, role: str) -> dict[str, str]:
        """Labels that tell whose an object is and what it does."""
        return {
            "app.kubernetes.io/managed-by": LABEL,
            f"{LABEL}/deployment": self.deployment,
            f"{LABEL}/role": role,
        }

    def options(self, parent: pulumi.Resource | None) -> pulumi.ResourceOptions:
        """Options of every resource in the cluster: its parent, its provider, its gate."""
        return pulumi.ResourceOptions(
            parent=parent, provider=self.provider, depends_on=list(self.gates)
        )


def _namespace(
    name: str,
    provider: kubernetes.Provider,
    parent: pulumi.Resource | None,
    gates: tuple[pulumi.Resource, ...],
) -> pulumi.Resource:
    """The stack's own namespace. Users' claims are in it, so a destroy leaves it there."""
    import pulumi_kubernetes as kubernetes

    made: pulumi.Resource = kubernetes.core.v1.Namespace(
        "namespace",
        metadata={"name": name, "labels": {f"{LABEL}/deployment": name}},
        opts=pulumi.ResourceOptions(
            parent=parent, provider=provider, depends_on=list(gates), retain_on_delete=True
        ),
    )
    return made


def kubeconfig_of(args: KubernetesClusterArgs) -> pulumi.Output[str]:
    """The kubeconfig's text, a secret."""
    if isinstance(args.kubeconfig, pulumi.Output):
        return secret(args.kubeconfig)
    return pulumi.Output.secret(kubeconfig_text(args))


def kubeconfig_text(args: KubernetesClusterArgs) -> str:
    """The kubeconfig's text where it is known without the engine, as in a stack file."""
    if args.kubeconfig is not None:
        assert not isinstance(args.kubeconfig, pulumi.Output)
        plain = getattr(args.kubeconfig, "get_secret_value", lambda: args.kubeconfig)
        return str(plain())
    file = kubeconfig_file(args)
    if not file.is_file() and pulumi.runtime.is_dry_run():
        return NO_WAY
    if not file.is_file():
        raise ConfigError(
            f"jupyterhub:cluster.kubeconfig_file: found {file}, which is not there; allowed: a "
            "kubeconfig, as your cluster's administrator gives it, or its text as a secret in "
            "jupyterhub:cluster.kubeconfig. Nothing was changed."
        )
    return portable(file)


def kubeconfig_file(args: KubernetesClusterArgs) -> Path:
    """The file that is meant: as said, or where kubectl looks."""
    of_shell = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return (args.kubeconfig_file or Path(of_shell or "~/.kube/config")).expanduser()


def _provider(
    deployment: str,
    args: KubernetesClusterArgs,
    namespace: str,
    kubeconfig: pulumi.Input[str],
    parent: pulumi.Resource | None,
) -> kubernetes.Provider:
    with needs("kubernetes"):
        import pulumi_kubernetes as kubernetes
    return kubernetes.Provider(
        f"{deployment}-cluster",
        kubeconfig=kubeconfig,
        context=args.context,
        namespace=namespace,
        # Only another cluster is another provider: a rotated kubeconfig replaces nothing.
        cluster_identifier=deployment,
        # What a destroy has left (namespace, claims) is taken again by its name.
        upsert_existing_objects=True,
        # Changed in place: a pod that starts meanwhile finds them.
        enable_secret_mutable=True,
        enable_config_map_mutable=True,
        opts=pulumi.ResourceOptions(parent=parent),
    )
