"""Traefik as the hub's proxy, with a second lock on what is written into its rules."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote

from jupyterhub_traefik_proxy import traefik_utils
from jupyterhub_traefik_proxy.fileprovider import TraefikFileProviderProxy

from . import names

_API = "route_api"  # the one router that is no route of the hub's
_MATCHER = r"(?:PathPrefix|Path)\(`[^`]*`\)"
_RULE = re.compile(rf"(?:Host\(`([^`]*)`\) && )?\(({_MATCHER}(?: \|\| {_MATCHER})*)\)\Z")
_PATH = re.compile(r"Path(Prefix)?\(`([^`]*)`\)")


class UnsafeRoute(ValueError):
    """A route whose text could change the meaning of a Traefik rule, or that is somebody else's."""


def rule_for(routespec: str) -> str:
    """The rule of a route: one path and what is below it, on one host where the route has one.

    JupyterHub's spelling stays: Traefik compares `+` in a rule with no `%2B`, which is what
    JupyterHub and its servers call it. Other spellings come to the hub, see spelling.py.
    """
    host, path = _parts(routespec)
    spelled = quote(path, safe="/@~")
    matchers = [f"PathPrefix(`{spelled}`)"]
    if path != "/":
        matchers.append(f"Path(`{spelled[:-1]}`)")
    return (f"Host(`{host}`) && " if host else "") + f"({' || '.join(matchers)})"


def _parts(routespec: str) -> tuple[str, str]:
    """Host and path as they are meant, if each of their parts is a name."""
    host, slash, path = routespec.partition("/")
    path = unquote(slash + path).rstrip("/") + "/"
    if host and not names.HOST.match(host):
        raise UnsafeRoute(f"refused to write a route for the host {host!r}")
    if not all(names.ROUTE_PART.match(part) for part in path.split("/")[1:-1]):
        raise UnsafeRoute(f"refused to write a route for {path!r}")
    return host, path


def require_own(rule: str, route: dict[str, Any]) -> None:
    """Refuses a rule that is not exactly the one of its route, and of the user whose route it is.

    It reads the rule itself, as it is about to be written, whoever made it.
    """
    host, path = _parts(route["routespec"])
    read = _RULE.match(rule)
    if read is None or (read[1] or "") != host:
        raise UnsafeRoute(f"refused to write the rule {rule!r}")
    paths = {(bool(m[1]), unquote(m[2])) for m in _PATH.finditer(read[2])}
    if (True, path) not in paths or not paths <= {(True, path), (False, path[:-1])}:
        raise UnsafeRoute(f"refused to write {rule!r} for {path!r}")
    if (owner := _owner(route.get("data") or {})) and not path.endswith(owner):
        raise UnsafeRoute(f"refused to write {path!r} for {owner!r}")


def _owner(data: dict[str, Any]) -> str | None:
    """The end that the path of a user's or a service's route has to have."""
    for kind in ("user", "service"):
        if kind in data:
            place = {"user": "user", "service": "services"}[kind]
            parts = [place, data[kind], *filter(None, [data.get("server_name")])]
            if not all(names.ROUTE_PART.match(part) for part in parts):
                raise UnsafeRoute(f"refused to write a route for {data!r}")
            return "/" + "".join(f"{part}/" for part in parts)
    return None


class SafeTraefikProxy(TraefikFileProviderProxy):
    """The stock proxy writes a user's name into its rules as it is: a name could be a rule.

    Logins and servers refuse such names already (names.py); this holds for whatever comes next.
    """

    def _dynamic_config_for_route(
        self, routespec: str, target: str, data: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is to be written for a route; none is made that can't be."""
        rule = rule_for(routespec)
        require_own(rule, {"routespec": routespec, "data": data})
        traefik, hub = super()._dynamic_config_for_route(routespec, target, data)
        alias = traefik_utils.generate_alias(routespec, "router")
        traefik["http"]["routers"][alias]["rule"] = rule
        return traefik, hub

    def _persist_dynamic_config(self) -> None:
        """All that is written passes here, also what an earlier release left in the file."""
        routers = self.dynamic_config["http"]["routers"]
        routes = self.dynamic_config["jupyterhub"]["routes"]
        for alias in set(routers) - {_API}:
            try:
                require_own(routers[alias]["rule"], routes[alias])
            except (UnsafeRoute, KeyError) as error:
                self.log.error("Route %s is not written: %s", alias, error)
                del routers[alias]
                routes.pop(alias, None)
        super()._persist_dynamic_config()

    async def add_user(self, user: Any, server_name: str = "", client: Any = None) -> None:
        """A server of an earlier release may have a name that can't be: others' routes go on."""
        try:
            await super().add_user(user, server_name, client)
        except UnsafeRoute as error:
            if user.spawners[server_name].pending:
                raise
            self.log.error("Server %r of %s has no route: %s", server_name, user.name, error)

    async def _setup_traefik_dynamic_config(self) -> None:
        """Without a password on the API: it answers on 127.0.0.1 only, bcrypt costs 0.2 s each."""
        api = {
            "rule": "PathPrefix(`/api`)",
            "entryPoints": [self.traefik_api_entrypoint],
            "service": "api@internal",
        }
        known = self.dynamic_config["http"]
        known["routers"][_API] = api
        known.pop("middlewares", None)
        self._spell_again()
        await self._apply_dynamic_config({"http": {"routers": {_API: api}}}, None)

    def _spell_again(self) -> None:
        """Rules of an earlier release, in today's form; one that has none is not written again."""
        routers = self.dynamic_config["http"]["routers"]
        for alias, route in self.dynamic_config["jupyterhub"]["routes"].items():
            try:
                routers[alias]["rule"] = rule_for(route["routespec"])
            except (UnsafeRoute, KeyError) as error:
                self.log.error("Route %s of an earlier release: %s", alias, error)

    async def _traefik_api_request(self, path: str) -> Any:
        self.traefik_api_username = self.traefik_api_password = ""
        return await super()._traefik_api_request(path)
