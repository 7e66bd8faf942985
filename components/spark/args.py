"""Args of Spark."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ..args import Args, Bytes, field
from ..jupyterhub_host.effects import NEXT_START
from ..machine.args import Cidr

# What is Spark's to say: others would lead an executor out of its user's namespace.
_OWN = (
    "spark.kubernetes.namespace",
    "spark.kubernetes.driver.pod.name",
    "spark.kubernetes.executor.podTemplateFile",
)


class SparkArgs(Args):
    """Spark in a cluster: a notebook is the driver, its executors are pods of its own image.

    Each user has a namespace for executors, and no way into anybody else's.
    """

    executors: int = field(
        4,
        ge=1,
        le=1000,
        description="Executors of one user at most. They come and go with the work.",
        change=NEXT_START,
    )
    cores: int = field(1, ge=1, le=64, description="Cores of each executor.", change=NEXT_START)
    memory: Bytes = field(
        "2G",
        ge=1024**3,
        unit="bytes, or text like `2G`",
        description=(
            "Memory of each executor's pod: six tenths for the JVM, the rest for Python beside it."
        ),
        change=NEXT_START,
    )
    idle: int = field(
        120,
        ge=10,
        unit="seconds",
        description="An executor that has had nothing to do for this long goes.",
        change=NEXT_START,
    )
    pool: str | None = field(
        None,
        pattern=r"^[a-z][a-z0-9-]{0,30}$",
        description=(
            "A pool of `cluster.pools` that executors run on, one with labels: cheap nodes that "
            "come and go. Default: any node."
        ),
        change=NEXT_START,
    )
    api: list[Cidr] = field(
        min_length=1,
        description=(
            "Ranges that the cluster's API is in, as pods see it: `kubectl get endpointslices "
            "kubernetes` shows it, 10.0.0.7/32 for instance. Users' servers may reach ports 443 "
            "and 6443 there, and nowhere else inside."
        ),
        change=NEXT_START,
    )
    reach: list[Cidr] = field(
        [],
        description=(
            "Further ranges that executors may reach, like that of an object store of your own. "
            "They always reach the internet."
        ),
        change=NEXT_START,
    )
    settings: dict[str, str] = field(
        {},
        description="Further settings of Spark, as in spark-defaults.conf.",
        change=NEXT_START,
    )

    @model_validator(mode="after")
    def _settings_are_sparks(self) -> Self:
        for name in self.settings:
            if not name.startswith("spark.") or any(c.isspace() for c in name):
                raise ValueError(f"settings: `{name}` is not like spark.sql.shuffle.partitions")
            if name in _OWN:
                raise ValueError(f"settings: `{name}` is said for each user, and not here")
        return self
