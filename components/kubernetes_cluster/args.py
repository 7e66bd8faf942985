"""Args of a Kubernetes cluster that exists."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import model_validator

from ..args import Args, InputSecret, field
from .pools import PoolArgs

_ELSEWHERE = "refused by protected volumes, which can't move: make a new stack instead"
_NEXT_TIME = "nothing on the running system; used from the next command on"


class KubernetesClusterArgs(Args):
    """The Kubernetes cluster that a hub runs on: one that exists, reached by a kubeconfig."""

    kubeconfig: InputSecret | None = field(
        None,
        description=(
            "The kubeconfig as text; set it with `pulumi config set --secret --path "
            "jupyterhub:cluster.kubeconfig < file`. Default: `kubeconfig_file`."
        ),
        change=_NEXT_TIME,
    )
    kubeconfig_file: Path | None = field(
        None,
        description="File with the kubeconfig. Default: KUBECONFIG of your shell, ~/.kube/config.",
        change=_NEXT_TIME,
    )
    context: str | None = field(
        None,
        pattern=r"^\S+$",
        description="Context in the kubeconfig. Default: its current one.",
        change=_NEXT_TIME,
    )
    namespace: str | None = field(
        None,
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="Namespace for everything. Default: a new one named after the stack.",
        change=_ELSEWHERE,
    )
    storage_class: str | None = field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description=(
            "Storage class of new volumes. Default: the cluster's own; "
            "`kubectl get storageclass` lists them."
        ),
        change="nothing on the volumes that are there; used for new ones",
    )

    pools: list[PoolArgs] = field(
        [],
        description=(
            "Its nodes, by size: only said, so that a size that no node has room for is refused."
        ),
        change="see its fields",
    )

    @model_validator(mode="after")
    def _one_kubeconfig(self) -> Self:
        if self.kubeconfig is not None and self.kubeconfig_file is not None:
            raise ValueError("give either `kubeconfig` (text) or `kubeconfig_file`, not both")
        return self
