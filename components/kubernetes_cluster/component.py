"""Cluster: a Kubernetes cluster that the stack makes."""

from __future__ import annotations

import pulumi

from ..args import InputSecret
from ..cloud_vm.args import CloudVMArgs
from ..platforms.pick import pick
from ..platforms.site import Site
from .args import KubernetesClusterArgs
from .made import Made, Wanted


class Cluster(pulumi.ComponentResource):
    """A cluster with its nodes, reached by its kubeconfig.

    Attributes:
        made: kubeconfig, what has to be there first, addresses, storage class.
    """

    made: Made

    def __init__(
        self,
        name: str,
        args: KubernetesClusterArgs,
        site: Site | None,
        vm: CloudVMArgs | None = None,
        key: InputSecret | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("jupyterhub:index:Cluster", name, {}, opts)
        wanted = Wanted(args, vm, key)
        self.made = pick(__package__, args.kind.value).create(name, wanted, site, self)
        self.register_outputs({"addresses": self.made.addresses})
