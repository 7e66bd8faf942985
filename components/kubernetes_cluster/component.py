"""Cluster: a Kubernetes cluster that the stack makes."""

from __future__ import annotations

import pulumi

from ..args import InputSecret
from ..cloud_vm.args import CloudVMArgs
from ..platforms.pick import pick
from ..platforms.site import Site
from .args import ClusterKind, KubernetesClusterArgs
from .made import Made, Wanted


class Cluster(pulumi.ComponentResource):
    """A Kubernetes cluster: k3s on VMs or on machines that exist, or a cloud's managed one.

    Args:
        site: the cloud that it is made in; none with `hosts`.
        vm: how the VMs of k3s in a cloud are; pools have sizes of their own.
        key: private key of the stack, in OpenSSH's format.

    Attributes:
        made: the way in, for `KubernetesCluster.connect`.
        kubeconfig: its text, a secret.
        addresses: of nodes or of the API.
    """

    made: Made
    kubeconfig: pulumi.Output[str]
    addresses: pulumi.Output[list[str]]

    def __init__(
        self,
        name: str,
        args: KubernetesClusterArgs,
        site: Site | None = None,
        vm: CloudVMArgs | None = None,
        key: InputSecret | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        assert args.kind is not ClusterKind.existing, "that one is there already"
        super().__init__("jupyterhub:index:Cluster", name, {}, opts)
        wanted = Wanted(args, vm, key)
        self.made = pick(__package__, args.kind.value).create(name, wanted, site, self)
        self.kubeconfig, self.addresses = self.made.kubeconfig, self.made.addresses
        self.register_outputs({"kubeconfig": self.kubeconfig, "addresses": self.addresses})
