"""Seconds from asking for a route until a request comes through, beside many others; for load.py.

A process of its own, as it imports another build's code.
"""

from __future__ import annotations

import asyncio
import http.server
import json
import sys
import threading
import time
from typing import Any

import requests
from hubkit.proxy import SafeTraefikProxy

ROUTES, NEW = 300, 15


class Page(http.server.BaseHTTPRequestHandler):
    """What a route leads to."""

    def do_GET(self) -> None:
        """Answers."""
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _route(proxy: Any, name: str, target: str) -> tuple[Any, Any]:
    data = {"user": name, "server_name": ""}
    made: tuple[Any, Any] = proxy._dynamic_config_for_route(f"/user/{name}/", target, data)
    return made


async def main(rules: str, api_url: str, port: str) -> list[float]:
    """One after the other."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    target = f"http://127.0.0.1:{server.server_port}"
    proxy = SafeTraefikProxy(should_start=False, traefik_api_url=api_url, traefik_entrypoint="web")
    proxy.dynamic_config_file = rules
    await proxy._start_external()
    for number in range(ROUTES):
        traefik, hub = _route(proxy, f"student{number}", target)
        for kind in ("routers", "services"):
            proxy.dynamic_config["http"][kind] |= traefik["http"][kind]
        proxy.dynamic_config["jupyterhub"]["routes"] |= hub["routes"]
    await proxy.add_route("/user/first/", target, {"user": "first", "server_name": ""})
    found = []
    for number in range(NEW):
        begun = time.monotonic()
        data = {"user": f"new{number}", "server_name": ""}
        await proxy.add_route(f"/user/new{number}/", target, data)
        address = f"http://127.0.0.1:{port}/user/new{number}/"
        while (await asyncio.to_thread(requests.get, address)).status_code != 204:
            await asyncio.sleep(0.005)
        found.append(time.monotonic() - begun)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
