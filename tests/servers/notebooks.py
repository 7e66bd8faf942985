"""What answers in the place of users' servers: pages, and a websocket that says everything again.

`python -m tests.servers.notebooks COUNT`, at the addresses of tests/servers/docker_engine.py.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tornado import httpserver, netutil, web, websocket

from .docker_engine import PORT, address


class Page(web.RequestHandler):
    """Any page; JupyterHub looks for its version in the answer."""

    def get(self, *_: str) -> None:
        self.set_header("X-JupyterHub-Version", "5.5.4")
        self.finish({"version": "2"})


class Echo(websocket.WebSocketHandler):
    """A kernel's channels, more or less."""

    def check_origin(self, origin: str) -> bool:
        return True

    def on_message(self, message: Any) -> None:
        self.write_message(message)


async def main(count: int) -> None:
    """Answers until it is ended."""
    server = httpserver.HTTPServer(web.Application([(r".*/channels", Echo), (r"(.*)", Page)]))
    for number in range(count):
        server.add_sockets(netutil.bind_sockets(PORT, address(number)))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
