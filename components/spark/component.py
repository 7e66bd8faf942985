"""Spark: what a hub may do in a cluster, so that each user has executors of their own."""

from __future__ import annotations

import pulumi

from ..platforms.kubernetes import KubernetesCluster
from ..platforms.pick import pick
from .args import SparkArgs


class Spark(pulumi.ComponentResource):
    """Rights for a hub to make a namespace for each user's executors, and nothing elsewhere.

    The hub is told by its chart's values, see `for_hub` in kubernetes.py.

    Attributes:
        namespaces: what the names of users' namespaces begin with.
    """

    namespaces: str

    def __init__(
        self,
        name: str,
        args: SparkArgs,
        cluster: KubernetesCluster,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:Spark", name, {}, opts)
        self.namespaces = pick(__package__, cluster.platform).create(name, args, cluster, self)
        self.register_outputs({"namespaces": self.namespaces})
