"""A proxy for hubs that need none."""

from __future__ import annotations

from typing import Any

from jupyterhub.proxy import Proxy


class Routes(Proxy):
    """Only remembers."""

    should_start = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._known: dict[str, Any] = {}

    async def add_route(self, routespec: str, target: str, data: Any) -> None:
        """As JupyterHub says."""
        self._known[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        """As JupyterHub says."""
        self._known.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, Any]:
        """As JupyterHub says."""
        return dict(self._known)
