"""The provider protocol, for any resource type of a cloud."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from ..provider import protocol
from ..provider.protocol import Provider, diffed, type_of
from ..provider.values import UNKNOWN, Values, from_struct, to_struct
from . import CLOUD, rules
from .cloud import FakeCloud, Injected


class StandIn(Provider):
    """Answers for one of the official plugins."""

    version = "0.0.0-standin"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self._cloud = FakeCloud.of_the_test()

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Takes what it is given."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Another login replaces nothing."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        """Says that previews may ask for what is not made yet."""
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:
        """A look-up, answered from what is written down."""
        found = rules.looked_up(request.tok)
        if found is None:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED,
                f"{request.tok} is not covered by the stand-in for {self.name}",
            )
        return provider_pb2.InvokeResponse(**{"return": to_struct(found or {})})

    def Check(self, request: Any, context: Any) -> Any:
        """The SDK has checked names and what is needed; the rest is the real provider's."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        """What differs, and whether that makes another resource."""
        olds = from_struct(request.old_inputs) or from_struct(request.olds)
        news = from_struct(request.news)
        paths = rules.changed_paths(olds, news)
        kind = type_of(request)
        paths = {path for path in paths if path.split(".")[0] not in request.ignoreChanges}
        return diffed(paths, rules.replacing(kind, paths))

    def Create(self, request: Any, context: Any) -> Any:
        """Makes it in the test's cloud; in a preview says what isn't known yet."""
        kind, inputs = type_of(request), from_struct(request.properties)
        if request.preview:
            planned = _outputs(inputs, _unknown(rules.computed(kind)))
            return provider_pb2.CreateResponse(properties=to_struct(planned))
        cloud = self._required(context)
        outputs = _outputs(inputs, rules.computed(kind))
        try:
            id, made = cloud.create(kind, inputs, outputs)
        except Injected as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return provider_pb2.CreateResponse(id=id, properties=to_struct(made))

    def Read(self, request: Any, context: Any) -> Any:
        """What is there now; an empty answer where it is gone."""
        found = self._required(context).read(request.id)
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id,
            inputs=to_struct(found["inputs"]),
            properties=to_struct(found["outputs"]),
        )

    def Update(self, request: Any, context: Any) -> Any:
        """Changes it in place."""
        kind, inputs = type_of(request), from_struct(request.news)
        before = from_struct(request.olds)
        kept = {key: before[key] for key in rules.computed(kind) if key in before}
        outputs = _outputs(inputs, rules.computed(kind) | kept)
        if not request.preview:
            try:
                self._required(context).update(request.id, inputs, outputs)
            except Injected as error:
                context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        """Removes it."""
        self._required(context).delete(request.id)
        return Empty()

    def _required(self, context: Any) -> FakeCloud:
        if self._cloud is None:
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"this is a stand-in for the official {self.name} plugin: it can only preview. "
                f"Nothing was made. (Tests set {CLOUD}.)",
            )
        assert self._cloud
        return self._cloud


def _unknown(value: Any) -> Any:
    """The same places, their values not known yet."""
    if isinstance(value, dict):
        return {key: _unknown(item) for key, item in value.items()}
    return [_unknown(item) for item in value] if _has_parts(value) else UNKNOWN


def _has_parts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _outputs(inputs: Values, computed: Values) -> Values:
    """Inputs and what is computed; a list of objects gets its computed parts item by item."""
    made: Values = dict(inputs)
    for key, value in computed.items():
        own = inputs.get(key)
        if own is None:
            made[key] = value
        elif isinstance(own, list) and isinstance(value, list):
            made[key] = [_outputs_of(a, b) for a, b in zip(own, value * len(own), strict=False)]
    return made


def _outputs_of(own: Any, value: Any) -> Any:
    if not (isinstance(own, dict) and isinstance(value, dict)):
        return own
    parts = {k: v for k, v in own.items() if _has_parts(v) and _has_parts(value.get(k))}
    inner = {key: [value[key][0] | item for item in items] for key, items in parts.items()}
    return value | own | inner


def serve(name: str) -> None:
    """Serves until it is told to leave."""
    protocol.serve(StandIn(name))
