"""The provider protocol: what the Pulumi engine calls, for any kind of object."""

from __future__ import annotations

import hashlib
import os
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from ..provider import protocol
from ..provider.protocol import Provider, abort_made, checked, diffed, type_of
from ..provider.values import UNKNOWN, Values, from_struct, has_unknown, to_struct
from . import NAME, OFFICIAL, VERSION, release
from .cluster import Cluster, NotReady, Settings, decoded, told
from .rules import as_found, changed, replacing

_AUTONAMED = "pulumi.com/autonamed"
_MUTABLE = {"enableSecretMutable": "Secret", "enableConfigMapMutable": "ConfigMap"}
_CONFIG = {"kubeconfig", "context", "namespace", "clusterIdentifier", *_MUTABLE}
_CONFIG |= {"enableServerSideApply", "suppressDeprecationWarnings", "version"}
_CONFIG |= {"upsertExistingObjects"}  # applying does so anyway
_REFUSED = ("kubernetes:yaml", "kubernetes:kustomize", "kubernetes:helm.sh/v4")


class KubernetesProvider(Provider):
    """One provider instance, configured for one cluster. It takes every kind of object."""

    name, version = NAME, VERSION

    def __init__(self) -> None:
        super().__init__()
        self._cluster = Cluster(Settings())
        self._mutable: frozenset[str] = frozenset()

    # Its configuration.

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Refuses what is not covered."""
        inputs = from_struct(request.news)
        faults = {
            key: f"{key} is not covered by the kubernetes stand-in; {OFFICIAL}"
            for key in inputs
            if key not in _CONFIG and not key.startswith("__")
        }
        return checked(inputs, faults)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Only another cluster replaces what was made; another way to it doesn't."""
        olds = from_struct(request.old_inputs) or from_struct(request.olds)
        news = from_struct(request.news)
        paths = [key for key in changed(olds, news) if key != "version"]
        identified = "clusterIdentifier" in olds and "clusterIdentifier" in news
        forcing = {"clusterIdentifier"} if identified else {"clusterIdentifier", "kubeconfig"}
        return diffed(paths, [path for path in paths if path in forcing], False)

    def Configure(self, request: Any, context: Any) -> Any:
        """Notes the way to the cluster; nothing is opened yet."""
        values = from_struct(request.args) if request.HasField("args") else {}
        prefix = f"{NAME}:config:"
        values |= {key.removeprefix(prefix): text for key, text in request.variables.items()}
        known = {key: None if value == UNKNOWN else value for key, value in values.items()}
        self._cluster = Cluster(
            Settings(
                str(known.get("kubeconfig") or ""), known.get("context"), known.get("namespace")
            )
        )
        self._mutable = frozenset(
            kind for key, kind in _MUTABLE.items() if known.get(key) in (True, "true")
        )
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:
        """Charts and manifests as data are not covered."""
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"{request.tok} is not covered by the kubernetes stand-in; {OFFICIAL}",
        )

    # Its objects.

    def Check(self, request: Any, context: Any) -> Any:
        """Completes inputs: a name where the program gave none."""
        news, olds = from_struct(request.news), from_struct(request.olds)
        kind = type_of(request)
        if kind.startswith(_REFUSED) or kind.endswith("Patch"):
            fault = f"{kind} is not covered by the kubernetes stand-in; {OFFICIAL}"
            return checked(news, {"kind": fault})
        name = request.name or request.urn.rsplit("::", 1)[-1]
        if kind == release.TOKEN:
            known = olds.get("name") if olds.get("__autonamed") else None
            if not news.get("name"):
                chosen = known or _name(name, request.randomSeed)
                news = news | {"name": chosen, "__autonamed": True}
            return checked(news, {})
        return checked(_named(news, olds, name, request.randomSeed), {})

    def Diff(self, request: Any, context: Any) -> Any:
        """Compares inputs, those of the state and those of the program."""
        olds = from_struct(request.old_inputs) or from_struct(request.olds)
        news = from_struct(request.news)
        paths = [p for p in changed(olds, news) if p.split(".")[0] not in request.ignoreChanges]
        if type_of(request) == release.TOKEN:
            forcing = [path for path in paths if path in ("name", "namespace")]
            return diffed(paths, forcing, bool(forcing))
        forcing = replacing(news.get("kind", ""), paths, news, self._mutable)
        notes = (news.get("metadata") or {}).get("annotations") or {}
        return diffed(paths, forcing, bool(forcing) and _AUTONAMED not in notes)

    def Create(self, request: Any, context: Any) -> Any:
        """Applies it; in a preview only says what it would be."""

        def created() -> Any:
            inputs = from_struct(request.properties)
            if request.preview:
                return provider_pb2.CreateResponse(properties=to_struct(_planned(inputs)))
            id, outputs = self._apply(request, inputs)
            return provider_pb2.CreateResponse(id=id, properties=to_struct(outputs))

        return self._served(request, context, created)

    def Read(self, request: Any, context: Any) -> Any:
        """What is there now; an empty answer where it is gone."""

        def read() -> Any:
            inputs = from_struct(request.inputs) or from_struct(request.properties)
            if type_of(request) == release.TOKEN:
                found = release.read(inputs, self._cluster.settings)
                now = inputs
            else:
                inputs = inputs or _imported(type_of(request), request.id)
                found = self._cluster.get(inputs)
                now = as_found(decoded(found or {}, inputs), inputs)
            if found is None:
                return provider_pb2.ReadResponse()
            outputs = _outputs(found, inputs)
            return provider_pb2.ReadResponse(
                id=request.id, inputs=to_struct(now), properties=to_struct(outputs)
            )

        return self._served(request, context, read)

    def Update(self, request: Any, context: Any) -> Any:
        """Changes it in place; in a preview only says what it would be."""

        def updated() -> Any:
            inputs = from_struct(request.news)
            if request.preview:
                planned = from_struct(request.olds) | _planned(inputs)
                return provider_pb2.UpdateResponse(properties=to_struct(planned))
            _, outputs = self._apply(request, inputs)
            return provider_pb2.UpdateResponse(properties=to_struct(outputs))

        return self._served(request, context, updated)

    def Delete(self, request: Any, context: Any) -> Any:
        """Deletes it."""

        def deleted() -> Any:
            inputs = from_struct(request.old_inputs) or from_struct(request.properties)
            if type_of(request) == release.TOKEN:
                release.delete(inputs, self._cluster.settings)
            else:
                self._cluster.delete(inputs, self._cancelled)
            return Empty()

        return self._served(request, context, deleted)

    def _apply(self, request: Any, inputs: Values) -> tuple[str, Values]:
        if type_of(request) == release.TOKEN:
            settings = self._cluster.settings
            return release.id_of(inputs, settings), release.apply(inputs, settings)
        manifest = {key: value for key, value in inputs.items() if not key.startswith("__")}
        live = self._cluster.apply(manifest)
        live = self._cluster.wait(
            live, lambda text: self._tell(request.urn, text, "INFO", True), self._cancelled
        )
        return self._cluster.id_of(manifest), _outputs(live, inputs)

    # How calls are served.

    def _served(self, request: Any, context: Any, work: Callable[[], Any]) -> Any:
        """The work's answer; its errors as one line for the user."""
        try:
            return work()
        except NotReady as error:
            inputs = from_struct(getattr(request, "properties", None) or request.news)
            id, outputs = self._cluster.id_of(inputs), _outputs(error.live, inputs)
            abort_made(context, id, outputs, error)
        except Exception as error:
            text = told(error)
            if text is None:
                self._tell(request.urn, traceback.format_exc(), "DEBUG")
                text = f"fault in the kubernetes stand-in: {type(error).__name__}: {error}"
            context.abort(grpc.StatusCode.UNKNOWN, text)


def _named(news: Values, olds: Values, logical_name: str, seed: bytes) -> Values:
    """The inputs with a name: an object whose name nobody gave can be replaced beside itself."""
    meta = dict(news.get("metadata") or {})
    if meta.get("name"):
        return news
    before = olds.get("metadata") or {}
    own = before.get("name") if _AUTONAMED in (before.get("annotations") or {}) else None
    notes = {**(meta.get("annotations") or {}), _AUTONAMED: "true"}
    name = own or _name(logical_name, seed)
    return news | {"metadata": {**meta, "name": name, "annotations": notes}}


def _name(logical_name: str, seed: bytes) -> str:
    digest = hashlib.sha256(seed or os.urandom(16)).hexdigest()
    return f"{logical_name}-{digest[:8]}"


def _planned(inputs: Values) -> Values:
    """Outputs as far as they are known before something is made."""
    return {"status": UNKNOWN} | inputs if not has_unknown(inputs.get("kind")) else inputs


def _outputs(live: Mapping[str, Any], inputs: Values) -> Values:
    """The object as it is, without what every server's write changes."""
    shown = {key: value for key, value in live.items() if key != "metadata"}
    hidden = ("managedFields", "resourceVersion")
    meta = {k: v for k, v in (live.get("metadata") or {}).items() if k not in hidden}
    kept = {key: inputs[key] for key in inputs if key not in shown and key != "metadata"}
    return kept | shown | ({"metadata": meta} if meta else {})


def _imported(kind: str, id: str) -> Values:
    """What an import names: the type's token and `namespace/name`."""
    group, _, name = kind.removeprefix(f"{NAME}:").rpartition(":")
    namespace, _, own = id.rpartition("/")
    meta = {"name": own} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": group.removeprefix("core/"), "kind": name, "metadata": meta}


def serve() -> None:
    """Serves until it is told to leave."""
    modules = ("kubernetes.client", "kubernetes.config", "kubernetes.dynamic")
    protocol.serve(KubernetesProvider(), modules)
