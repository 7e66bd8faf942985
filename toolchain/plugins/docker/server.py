"""The provider protocol: what the Pulumi engine calls, handed to the resource types."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from ..provider import protocol
from ..provider.protocol import Provider, abort_made, checked, diffed
from ..provider.values import from_struct, to_struct
from . import NAME, OFFICIAL, VERSION
from .container import Container
from .engine import Engine, Settings, config_faults
from .errors import InitFailed, explain
from .image import Image
from .network import Network
from .remote_image import RemoteImage
from .resource import Call, Change, ResourceType
from .volume import Volume

TYPES: dict[str, ResourceType] = {
    kind.token: kind for kind in (Container(), Image(), Network(), RemoteImage(), Volume())
}


class _Refused(Exception):
    """A call that this plugin can't serve. Its text is meant for the user."""


class DockerProvider(Provider):
    """One provider instance, configured for one Docker engine."""

    name, version, types = NAME, VERSION, TYPES

    def __init__(self) -> None:
        super().__init__()
        self._engine = Engine(Settings())

    def close(self) -> None:
        """Leaves nothing of the connection behind."""
        self._engine.close()

    # Its configuration.

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Refuses what is not covered."""
        inputs = from_struct(request.news)
        return checked(inputs, config_faults(inputs))

    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Another host or login never replaces what was made: it only changes the way to it."""
        olds = from_struct(request.old_inputs) or from_struct(request.olds)
        news = from_struct(request.news)
        changed = {key for key in (*olds, *news) if olds.get(key) != news.get(key)}
        return diffed(changed - {"version"}, ())

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

        def answer(call: Call) -> Any:
            name = request.name or request.urn.rsplit("::", 1)[-1]
            news, olds = from_struct(request.news), from_struct(request.olds)
            inputs, faults = _type_of(request).check(news, olds, name, request.randomSeed)
            return checked(inputs, faults)

        return self._served(request, context, answer)

    def Diff(self, request: Any, context: Any) -> Any:
        """Compares inputs, those of the state and those of the program."""

        def answer(call: Call) -> Any:
            kind = _type_of(request)
            olds = from_struct(request.old_inputs) or from_struct(request.olds)
            news = from_struct(request.news)
            changes = kind.diff(olds, news)
            replacing = {key for key, change in changes.items() if change is Change.REPLACE}
            # The old thing has to go first only where the new one needs its name.
            return diffed(changes, replacing, bool(replacing) and kind.keeps_name(olds, news))

        return self._served(request, context, answer)

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
            abort_made(context, error.id, error.outputs, error)
        except _Refused as error:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))
        except Exception as error:
            text = explain(error, self._engine.host)
            if text is None:
                self._tell(request.urn, traceback.format_exc(), "DEBUG")
                text = f"fault in the docker stand-in: {type(error).__name__}: {error}"
            context.abort(grpc.StatusCode.UNKNOWN, text)


def _type_of(request: Any) -> ResourceType:
    token = protocol.type_of(request)
    if token not in TYPES:
        raise _Refused(f"{token} is not covered by the docker stand-in; {OFFICIAL}")
    return TYPES[token]


def serve() -> None:
    """Serves until it is told to leave."""
    modules = ("docker", "docker.auth", "docker.errors", "docker.utils")
    protocol.serve(DockerProvider(), modules)
