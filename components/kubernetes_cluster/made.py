"""What every platform file of Cluster takes and returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from ..args import InputSecret
from ..cloud_vm.args import CloudVMArgs
from .args import KubernetesClusterArgs


@dataclass(frozen=True)
class Wanted:
    """All that a platform file needs to make a cluster.

    Attributes:
        vm: how the VMs of `k3s` in a cloud are.
        key: private key of the stack, in OpenSSH's format.
    """

    args: KubernetesClusterArgs
    vm: CloudVMArgs | None = None
    key: InputSecret | None = None


@dataclass(frozen=True)
class Made:
    """A cluster that the stack has made.

    Attributes:
        kubeconfig: its text, a secret.
        ready: everything in the cluster waits for these.
        addresses: of nodes or of the API, for people.
        storage_class: the default class, where the cluster's own isn't good.
    """

    kubeconfig: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]
    addresses: pulumi.Output[list[str]]
    storage_class: str | None = None
