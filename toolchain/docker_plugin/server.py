"""The provider protocol: what the Pulumi engine calls, handed to the resource types."""

from __future__ import annotations

import json
import os
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

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

from . import NAME, OFFICIAL, VERSION
from .container import Container
from .engine import Engine, Settings, config_faults
from .errors import InitFailed, explain
from .image import Image
from .network import Network
from .remote_image import RemoteImage
from .resource import Call, Change, ResourceType
from .values import Values, from_struct, to_struct
from .volume import Volume

TYPES: dict[str, ResourceType] = {
    kind.token: kind for kind in (Container(), Image(), Network(), RemoteImage(), Volume())
}
_THREADS = 64  # calls that may wait for something at the same time
_MESSAGE_SIZE = 400 * 1024**2  # as large as the engine's own limit
_Kind = provider_pb2.PropertyDiff.Kind


class _Refused(Exception):
    """A call that this plugin can't serve. Its text is meant for the user."""


class DockerProvider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider instance, configured for one Docker engine."""

    def __init__(self) -> None:
        self._engine = Engine(Settings())
        self._cancelled = threading.Event()
        self._log: engine_pb2_grpc.EngineStub | None = None

    def close(self) -> None:
        """Leaves nothing of the connection behind."""
        self._engine.close()

    # What the plugin is.

    def Handshake(self, request: Any, context: Any) -> Any:
        """Takes the engine's address. Secrets stay the engine's business."""
        self._connect_log(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: Any) -> Any:
        """Takes the engine's address, where the plugin was started by something else."""
        self._connect_log(request.address)
        return Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """The version that it stands in for."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:
        """The resource types; their properties are in the official SDK."""
        schema = {"name": NAME, "version": VERSION, "resources": {token: {} for token in TYPES}}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def Cancel(self, request: Any, context: Any) -> Any:
        """Ends the waiting of running calls."""
        self._cancelled.set()
        return Empty()

    # Its configuration.

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Refuses what is not covered."""
        inputs = from_struct(request.news)
        return _checked(inputs, config_faults(inputs))

    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Another host or login never replaces what was made: it only changes the way to it."""
        olds = from_struct(request.old_inputs) or from_struct(request.olds)
        news = from_struct(request.news)
        changed = {key for key in (*olds, *news) if olds.get(key) != news.get(key)}
        return _diffed(dict.fromkeys(sorted(changed - {"version"}), Change.UPDATE), False)

    def Configure(self, request: Any, context: Any) -> Any:
        """Notes the engine's address; nothing is opened yet."""
        values = from_struct(request.args) if request.HasField("args") else {}
        prefix = f"{NAME}:config:"
        values |= {key.removeprefix(prefix): text for key, text in request.variables.items()}
        self._engine.close()
        self._engine = Engine(Settings.read(values))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:
        """Data sources are not covered: they would connect during a preview."""
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"{request.tok} is not covered by the docker stand-in; {OFFICIAL}",
        )

    # Its resources.

    def Check(self, request: Any, context: Any) -> Any:
        """Completes inputs and tells all that is wrong with them."""

        def checked(call: Call) -> Any:
            name = request.name or request.urn.rsplit("::", 1)[-1]
            news, olds = from_struct(request.news), from_struct(request.olds)
            inputs, faults = _type_of(request).check(news, olds, name, request.randomSeed)
            return _checked(inputs, faults)

        return self._served(request, context, checked)

    def Diff(self, request: Any, context: Any) -> Any:
        """Compares inputs, those of the state and those of the program."""

        def diffed(call: Call) -> Any:
            kind = _type_of(request)
            olds = from_struct(request.old_inputs) or from_struct(request.olds)
            news = from_struct(request.news)
            return _diffed(kind.diff(olds, news), kind.keeps_name(olds, news))

        return self._served(request, context, diffed)

    def Create(self, request: Any, context: Any) -> Any:
        """Makes it; in a preview only says what it would be."""

        def created(call: Call) -> Any:
            kind, inputs = _type_of(request), from_struct(request.properties)
            if request.preview:
                return provider_pb2.CreateResponse(properties=to_struct(kind.planned(inputs)))
            made = kind.create(call, inputs)
            return provider_pb2.CreateResponse(id=made.id, properties=to_struct(made.outputs))

        return self._served(request, context, created)

    def Read(self, request: Any, context: Any) -> Any:
        """What is there now; an empty answer where it is gone."""

        def read(call: Call) -> Any:
            inputs, outputs = from_struct(request.inputs), from_struct(request.properties)
            found = _type_of(request).read(call, request.id, inputs, outputs)
            if found is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=found.id, inputs=to_struct(found.inputs), properties=to_struct(found.outputs)
            )

        return self._served(request, context, read)

    def Update(self, request: Any, context: Any) -> Any:
        """Changes it in place; in a preview only says what it would be."""

        def updated(call: Call) -> Any:
            kind, news = _type_of(request), from_struct(request.news)
            before = from_struct(request.olds)
            olds = from_struct(request.old_inputs) or before
            outputs = {key: value for key, value in before.items() if key not in olds}
            if request.preview:
                planned = kind.planned(news, outputs)
                return provider_pb2.UpdateResponse(properties=to_struct(planned))
            after = kind.update(call, request.id, olds, news, outputs)
            return provider_pb2.UpdateResponse(properties=to_struct(after))

        return self._served(request, context, updated)

    def Delete(self, request: Any, context: Any) -> Any:
        """Removes it."""

        def deleted(call: Call) -> Any:
            inputs = from_struct(request.old_inputs) or from_struct(request.properties)
            _type_of(request).delete(call, request.id, inputs)
            return Empty()

        return self._served(request, context, deleted)

    # How calls are served.

    def _served(self, request: Any, context: Any, work: Callable[[Call], Any]) -> Any:
        """The work's answer; its errors as one line for the user."""
        call = Call(
            self._engine,
            progress=lambda text: self._tell(request.urn, text, "INFO", passing=True),
            warn=lambda text: self._tell(request.urn, text, "WARNING"),
            cancelled=self._cancelled,
        )
        try:
            return work(call)
        except InitFailed as error:
            _abort_made(context, error)
        except _Refused as error:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))
        except Exception as error:
            text = explain(error, self._engine.host)
            if text is None:
                self._tell(request.urn, traceback.format_exc(), "DEBUG")
                text = f"fault in the docker stand-in: {type(error).__name__}: {error}"
            context.abort(grpc.StatusCode.UNKNOWN, text)

    def _connect_log(self, address: str) -> None:
        if address:
            self._log = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def _tell(self, urn: str, text: str, severity: str, passing: bool = False) -> None:
        if self._log is None:
            return
        try:
            self._log.Log(
                engine_pb2.LogRequest(
                    severity=engine_pb2.LogSeverity.Value(severity),
                    message=text,
                    urn=urn,
                    ephemeral=passing,
                )
            )
        except grpc.RpcError:
            return  # a lost line of progress is no reason to fail


def _type_of(request: Any) -> ResourceType:
    token = request.type or request.urn.split("::")[2].rsplit("$", 1)[-1]
    if token not in TYPES:
        raise _Refused(f"{token} is not covered by the docker stand-in; {OFFICIAL}")
    return TYPES[token]


def _checked(inputs: Values, faults: dict[str, str]) -> Any:
    return provider_pb2.CheckResponse(
        inputs=to_struct(inputs),
        failures=[
            provider_pb2.CheckFailure(property=key, reason=reason)
            for key, reason in sorted(faults.items())
        ],
    )


def _diffed(changes: dict[str, Change], keeps_name: bool) -> Any:
    replaces = [key for key, change in changes.items() if change is Change.REPLACE]
    some = provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE
    kinds = {Change.REPLACE: _Kind.UPDATE_REPLACE, Change.UPDATE: _Kind.UPDATE}
    return provider_pb2.DiffResponse(
        changes=some,
        diffs=list(changes),
        replaces=replaces,
        # The engine prefers the program's deleteBeforeReplace. Without one, the old thing has to
        # go first only where the new one needs its name.
        deleteBeforeReplace=bool(replaces) and keeps_name,
        hasDetailedDiff=True,
        detailedDiff={
            key: provider_pb2.PropertyDiff(kind=kinds[change], inputDiff=True)
            for key, change in changes.items()
        },
    )


def _abort_made(context: Any, error: InitFailed) -> None:
    """Tells the engine that something is there but does not work."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.id, properties=to_struct(error.outputs), reasons=[str(error)]
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=str(error))
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, str(error))


def serve() -> None:
    """Serves until it is told to leave or the engine that started it is gone."""
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
    # Whole, before the first call: two threads that import parts of it at the same time get half.
    for name in ("docker", "docker.auth", "docker.errors", "docker.utils"):
        import_module(name)
    provider = DockerProvider()
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while not leaving.wait(1.0) and os.getppid() == parent:
        pass
    provider.close()
    os._exit(0)  # without waiting for calls that nobody waits for any more
