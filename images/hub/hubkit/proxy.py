"""Traefik as the hub's proxy, with a second lock on what is written into its rules."""

from __future__ import annotations

import re
from typing import Any

from jupyterhub_traefik_proxy.fileprovider import TraefikFileProviderProxy

# JupyterHub escapes a user's name for the path (`@` is %40); nothing else belongs into a rule.
_SAFE = re.compile(r"[A-Za-z0-9.%~_@+*:/-]*")


class UnsafeRoute(ValueError):
    """A route whose text could change the meaning of a Traefik rule."""


def check(routespec: str) -> str:
    """The route, if its text is harmless between the backticks of a rule."""
    if not _SAFE.fullmatch(routespec):
        raise UnsafeRoute(f"refused to write a route for {routespec!r}")
    return routespec


class SafeTraefikProxy(TraefikFileProviderProxy):
    """The stock proxy writes a user's name into its rules as it is: a name could be a rule.

    Logins refuse such names already (names.py); this holds for whatever login comes next.
    """

    def validate_routespec(self, routespec: str) -> str:
        """Every route passes here before it is written."""
        return str(super().validate_routespec(check(routespec)))

    async def _setup_traefik_dynamic_config(self) -> None:
        """Without a password on the API: it answers on 127.0.0.1 only, bcrypt costs 0.2 s each."""
        api = {
            "rule": "PathPrefix(`/api`)",
            "entryPoints": [self.traefik_api_entrypoint],
            "service": "api@internal",
        }
        known = self.dynamic_config["http"]
        known["routers"]["route_api"] = api
        known.pop("middlewares", None)
        await self._apply_dynamic_config({"http": {"routers": {"route_api": api}}}, None)

    async def _traefik_api_request(self, path: str) -> Any:
        self.traefik_api_username = self.traefik_api_password = ""
        return await super()._traefik_api_request(path)
