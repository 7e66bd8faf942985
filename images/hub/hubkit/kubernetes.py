"""JupyterHub's configuration on Kubernetes, on top of what the chart Zero to JupyterHub sets.

The chart's `hub.extraConfig` runs it: `from hubkit.kubernetes import configure; configure(c)`. What
the chart has values for (images, sizes, homes, network policy) is said there; this is the rest.
"""

from __future__ import annotations

import sys
from typing import Any

from . import configure as common
from . import database, spark
from .folders import STATE
from .pods import PodSpawner
from .settings import Secrets, load_secrets, load_settings

CHART_DATABASE = "sqlite:///jupyterhub.sqlite"


def configure(c: Any) -> None:
    """Sets what is ours, and leaves what the chart has set for others."""
    settings, secrets = load_settings(), load_secrets()
    _database(c, secrets)
    # Not by the hub's Service: the chart's network policy lets no hub in there.
    base = str(c.JupyterHub.get("base_url", "/")).rstrip("/")
    c.JupyterHub.extra_handlers = [*c.JupyterHub.get("extra_handlers", [])]
    common.configure(c, settings, secrets, f"http://localhost:8081{base}/hub/api")
    c.JupyterHub.spawner_class = PodSpawner
    if told := spark.load():
        c.JupyterHub.spawner_class = spark.SparkSpawner
        c.SparkSpawner.told = told
    given = c.KubeSpawner.get("environment", {})
    c.KubeSpawner.environment = settings.culling.environment | given


def _database(c: Any, secrets: Secrets) -> None:
    """On the hub's own volume, copied before another JupyterHub opens it; any other as given."""
    if c.JupyterHub.get("db_url") != CHART_DATABASE:
        return
    try:
        database.prepare(STATE)
    except database.DatabaseTooNew as error:
        sys.exit(f"hub not started: {error}")
    c.JupyterHub.db_url = database.url(STATE, secrets)
