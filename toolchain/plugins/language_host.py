"""A Pulumi language host for Python, where the vendor's program can't be had.

The SDK has the server for the Automation API already; this adds what the engine asks besides, and
runs the program. It stands in for `pulumi-language-python`; the vendor's own is preferred.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc


def _program() -> None:
    runpy.run_path("__main__.py", run_name="__main__")


class LanguageHost(LanguageServer):
    """Runs `__main__.py` of the working directory."""

    def __init__(self) -> None:
        super().__init__(_program)

    def Handshake(self, request: Any, context: Any) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:
        return language_pb2.RuntimeOptionsResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        return language_pb2.GetProgramDependenciesResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        yield language_pb2.InstallDependenciesResponse()


def main() -> None:
    """Serves until the engine ends it."""
    sys.path.insert(0, os.getcwd())
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    engine = os.getppid()
    while os.getppid() == engine:  # a killed engine takes its language host along
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    main()
