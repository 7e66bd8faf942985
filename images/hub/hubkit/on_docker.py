"""JupyterHub's configuration on a Docker engine, behind Traefik."""

from __future__ import annotations

from typing import Any

from jupyterhub.app import JupyterHub

from . import configure as common
from . import database, ends, together
from .folders import STATE
from .proxy import SafeTraefikProxy
from .settings import Engine, Secrets, Settings
from .spawner import HubSpawner

QUEUE_TIMEOUT = 1800  # seconds


def configure(c: Any, settings: Settings, secrets: Secrets) -> None:
    """Sets everything that JupyterHub is to do."""
    if settings.engine is None:
        raise ValueError("these settings are for Kubernetes: they have no part about the engine")
    c.JupyterHub.services = []
    c.JupyterHub.load_roles = []
    c.JupyterHub.extra_handlers = []
    common.configure(c, settings, secrets)
    together.configure(c, settings, STATE)
    c.JupyterHub.db_url = database.url(STATE, secrets)
    _hub(c, settings.engine)
    _proxy(c, settings.engine, settings.public_url)
    _spawner(c, settings, settings.engine)
    if JupyterHub.initialized():
        ends.listen(JupyterHub.instance(), settings.deployment)


def _hub(c: Any, engine: Engine) -> None:
    address = engine.hub.address
    c.JupyterHub.hub_bind_url = f"http://{address}:{engine.hub.port}"
    c.JupyterHub.hub_connect_ip = address  # the default, the host's name, means nothing to users
    c.JupyterHub.concurrent_spawn_limit = 0  # it would refuse; our spawner lets them wait


def _proxy(c: Any, engine: Engine, public_url: str) -> None:
    c.JupyterHub.proxy_class = SafeTraefikProxy
    c.JupyterHub.bind_url = public_url
    c.SafeTraefikProxy.should_start = False
    c.SafeTraefikProxy.traefik_api_url = engine.proxy.api_url
    c.SafeTraefikProxy.traefik_entrypoint = engine.proxy.entry_point
    c.SafeTraefikProxy.dynamic_config_file = engine.proxy.rules_file


def _spawner(c: Any, settings: Settings, engine: Engine) -> None:
    c.JupyterHub.spawner_class = HubSpawner
    c.HubSpawner.settings = settings
    c.HubSpawner.engine = engine
    c.HubSpawner.start_timeout = QUEUE_TIMEOUT  # waiting for one's turn included
    c.HubSpawner.http_timeout = engine.spawn.start_timeout
