"""Args of a hub that only a Kubernetes cluster has."""

from __future__ import annotations

from ..args import Args, InputSecret, field
from .effects import HUB_REPLACED, NEXT_START

# Versions of the chart that the mapping of values was written for and checked against.
KNOWN_CHARTS = ("4.4.0", "4.4.2")


class PodsArgs(Args):
    """How a cluster runs a hub and its users' servers."""

    chart: str = field(
        KNOWN_CHARTS[-1],
        pattern=r"^\d+\.\d+\.\d+\S*$",
        description=(
            "Version of the chart Zero to JupyterHub; it goes with the hub image's JupyterHub."
        ),
        change=HUB_REPLACED,
    )
    database: InputSecret | None = field(
        None,
        description=(
            "Address of a Postgres database for the hub, `postgresql+psycopg2://…`, password "
            "included. Default: SQLite on the volume `state`."
        ),
        change=HUB_REPLACED + "; nothing is copied between the two",
    )
    pull_ahead: bool = field(
        True,
        description="Nodes pull all images before a server needs them, new nodes too.",
        change="starts or stops the pods that pull; servers go on",
    )
    pull_secrets: list[str] = field(
        [],
        description="Secrets of the namespace with logins of private registries.",
        change=HUB_REPLACED,
    )
    placeholders: int = field(
        0,
        ge=0,
        le=1000,
        description=(
            "Room for this many servers is kept free, so that an autoscaler adds a node before "
            "users wait for it. Sized as the first size."
        ),
        change="adds or removes placeholders; servers go on",
    )
    nodes: dict[str, str] = field(
        {},
        description="Labels of the nodes that users' servers run on. Default: any node.",
        change=NEXT_START,
    )
    core_nodes: dict[str, str] = field(
        {},
        description="Labels of the nodes that the hub and its proxy run on. Default: any node.",
        change=HUB_REPLACED,
    )
    disruption_budgets: bool = field(
        False,
        description=(
            "Nodes aren't drained while hub or proxy is on them: somebody has to move them by hand."
        ),
        change="in place",
    )
    start_timeout: int = field(
        600,
        ge=10,
        unit="seconds",
        description="A server that takes longer has failed; a new node and its images are in it.",
        change=HUB_REPLACED,
    )
