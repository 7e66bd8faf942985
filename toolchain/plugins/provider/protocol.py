"""The provider protocol, as far as it is the same for all of this project's plugins."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, ClassVar

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    errors_pb2,  # noqa: F401 - registers the messages of error details
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

from .values import Values, to_struct

_THREADS = 64  # calls that may wait for something at the same time
_MESSAGE_SIZE = 400 * 1024**2  # as large as the engine's own limit
_Kind = provider_pb2.PropertyDiff.Kind


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """What the plugin is, and its way to tell the engine something.

    Attributes:
        name: the official plugin that it stands in for.
        version: the official one's, or one that no official plugin has.
        types: tokens of the resource types for its schema; their properties are in the SDK.
    """

    name: str
    version: str
    types: ClassVar[Collection[str]] = ()

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._log: engine_pb2_grpc.EngineStub | None = None

    def close(self) -> None:
        """Leaves nothing behind."""

    def Handshake(self, request: Any, context: Any) -> Any:
        """Takes the engine's address. Secrets stay the engine's business."""
        self._connect_log(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: Any) -> Any:
        """Takes the engine's address, where the plugin was started by something else."""
        self._connect_log(request.address)
        return Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """Its version."""
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(self, request: Any, context: Any) -> Any:
        """Its name and the resource types."""
        resources: dict[str, Any] = {token: {} for token in self.types}
        schema = {"name": self.name, "version": self.version, "resources": resources}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def Cancel(self, request: Any, context: Any) -> Any:
        """Ends the waiting of running calls."""
        self._cancelled.set()
        return Empty()

    def _connect_log(self, address: str) -> None:
        if address:
            self._log = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def _tell(self, urn: str, text: str, severity: str, passing: bool = False) -> None:
        if self._log is None:
            return
        level = engine_pb2.LogSeverity.Value(severity)
        try:
            self._log.Log(
                engine_pb2.LogRequest(severity=level, message=text, urn=urn, ephemeral=passing)
            )
        except grpc.RpcError:
            return  # a lost line of progress is no reason to fail


def type_of(request: Any) -> str:
    """Token of the resource type that a call is about."""
    return str(request.type or request.urn.split("::")[2].rsplit("$", 1)[-1])


def checked(inputs: Values, faults: Mapping[str, str]) -> Any:
    """The answer to Check: the completed inputs, and what is wrong by property."""
    failures = [
        provider_pb2.CheckFailure(property=key, reason=reason)
        for key, reason in sorted(faults.items())
    ]
    return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=failures)


def diffed(paths: Iterable[str], replacing: Collection[str], delete_first: bool = False) -> Any:
    """The answer to Diff: what changes, and which of that makes another resource.

    The engine prefers the program's own deleteBeforeReplace to `delete_first`.
    """
    changes = sorted(paths)
    response = provider_pb2.DiffResponse
    return response(
        changes=response.DIFF_SOME if changes else response.DIFF_NONE,
        diffs=_properties(changes),
        replaces=_properties(path for path in changes if path in replacing),
        deleteBeforeReplace=delete_first,
        hasDetailedDiff=True,
        detailedDiff={
            path: provider_pb2.PropertyDiff(
                kind=_Kind.UPDATE_REPLACE if path in replacing else _Kind.UPDATE, inputDiff=True
            )
            for path in changes
        },
    )


def _properties(paths: Iterable[str]) -> list[str]:
    return sorted({path.split(".")[0] for path in paths})


def abort_made(context: Any, id: str, outputs: Values, error: Exception) -> None:
    """Tells the engine that something is there but does not work."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=id, properties=to_struct(outputs), reasons=[str(error)]
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=str(error))
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, str(error))


def serve(provider: Provider, modules: Sequence[str] = ()) -> None:
    """Serves until it is told to leave or the engine that started it is gone.

    Args:
        modules: imported whole before the first call: two threads that import parts of one at the
            same time get half.
    """
    leaving = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: leaving.set())
    parent = os.getppid()
    server = grpc.server(
        ThreadPoolExecutor(_THREADS),
        options=[
            ("grpc.max_receive_message_length", _MESSAGE_SIZE),
            ("grpc.max_send_message_length", _MESSAGE_SIZE),
        ],
    )
    for name in modules:
        import_module(name)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while not leaving.wait(1.0) and os.getppid() == parent:
        pass
    provider.close()
    os._exit(0)  # without waiting for calls that nobody waits for any more
