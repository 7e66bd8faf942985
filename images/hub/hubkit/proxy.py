"""Traefik as the hub's proxy, with a second lock on what is written into its rules."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import toml  # type: ignore[import-untyped]
from jupyterhub.utils import exponential_backoff
from jupyterhub_traefik_proxy import traefik_utils
from jupyterhub_traefik_proxy.fileprovider import TraefikFileProviderProxy
from traitlets import Instance, default, observe

from . import names, pools

_API = "route_api"  # the one router that is no route of the hub's
_MATCHER = r"(?:PathPrefix|Path)\(`[^`]*`\)"
_RULE = re.compile(rf"(?:Host\(`([^`]*)`\) && )?\(({_MATCHER}(?: \|\| {_MATCHER})*)\)\Z")
_PATH = re.compile(r"Path(Prefix)?\(`([^`]*)`\)")
LOOK_FIRST = 0.02  # seconds until Traefik is asked again whether it has a new route


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


class RulesFile:
    """What the hub tells Traefik, as JSON, which is YAML, and what it remembers of its routes.

    With 300 routes the stock proxy's TOML takes thirty times as long to write, and nobody gets an
    answer meanwhile. What Traefik doesn't need is in a folder beside, so that it doesn't read it.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._beside = file, file.with_suffix("")
        self._before = file.with_suffix(".toml")  # an earlier release's
        self._next = "{}", "{}"

    def load(self) -> dict[str, Any]:
        """What was told; FileNotFoundError where nothing was. The hub then finds its routes anew.

        Of the routes those that Traefik was told: a hub may have been killed between the two.
        """
        try:
            if not self._file.exists():
                return dict(toml.loads(self._before.read_text()))
            rules = dict(json.loads(self._file.read_text()))
            routes = json.loads((self._beside / "routes.json").read_text())
        except ValueError:  # the machine lost its power
            raise FileNotFoundError(self._file) from None
        found = {alias: route for alias, route in routes.items() if _is_told(route, rules)}
        return rules | {"jupyterhub": {"routes": found}}

    def atomic_dump(self, rules: dict[str, Any]) -> None:
        """Takes what is to be written, as it is now."""
        told = {key: each for key, each in rules.items() if key != "jupyterhub"}
        self._next = json.dumps(rules["jupyterhub"]["routes"]), json.dumps(told)

    def write(self) -> None:
        """Replaces both, in a thread; nobody ever sees a part.

        Traefik reads all of its folder again at whatever happens in it, but not in one inside.
        """
        routes, told = self._next
        self._beside.mkdir(exist_ok=True)
        self._replace(self._beside / "routes.json", routes)
        self._replace(self._file, told)
        self._before.unlink(missing_ok=True)  # or Traefik would have every route twice

    def _replace(self, file: Path, text: str) -> None:
        partial = self._beside / f"{file.name}.new"
        partial.write_text(text)
        os.replace(partial, file)


def _is_told(route: dict[str, Any], rules: dict[str, Any]) -> bool:
    """Whether Traefik was told of a route, and where it leads."""
    http = rules.get("http", {})
    service = http.get("services", {}).get(route["service"])
    there = service and service["loadBalancer"]["servers"] == [{"url": route["target"]}]
    return bool(there) and route["router"] in http.get("routers", {})


class SafeTraefikProxy(TraefikFileProviderProxy):
    """The stock proxy writes a user's name into its rules as it is: a name could be a rule.

    Logins and servers refuse such names already (names.py); this holds for whatever comes next.
    """

    @default("dynamic_config_handler")
    def _rules_file(self) -> RulesFile:
        return RulesFile(Path(self.dynamic_config_file))

    @observe("dynamic_config_file")
    def _set_dynamic_config_file(self, _: Any) -> None:
        self.dynamic_config_handler = self._rules_file()

    async def _wait_for_route(self, routespec: str) -> None:
        """Asks for the router alone, whose service is of the same file, and soon again."""

        async def is_there() -> bool:
            return bool(await self._check_for_traefik_service(routespec, "router"))

        await exponential_backoff(
            is_there,
            f"Traefik has no route for {routespec}",
            start_wait=LOOK_FIRST,
            scale_factor=1.2,
            timeout=self.check_route_timeout,
        )

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

    _next: asyncio.Task[None] | None = None
    _writing = Instance(asyncio.Lock, ())

    def _persist_dynamic_config(self) -> None:
        """The stock proxy writes here, on the hub's loop; `_written` does it."""

    async def _apply_dynamic_config(self, *change: Any) -> None:
        """As the stock proxy, and writes it."""
        await super()._apply_dynamic_config(*change)
        await self._written()

    async def _delete_dynamic_config(self, *change: Any) -> None:
        """As the stock proxy, and writes it."""
        await super()._delete_dynamic_config(*change)
        await self._written()

    async def _written(self) -> None:
        """Once what is known now is written; many changes at once are one file."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._write())
        await asyncio.shield(self._next)

    async def _write(self) -> None:
        async with self._writing:
            self._next = None
            self._leave_out_others()
            super()._persist_dynamic_config()
            await pools.run(pools.STATE, self.dynamic_config_handler.write)

    def _leave_out_others(self) -> None:
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
