"""One cluster: objects are applied, read and deleted as they are, whatever their kind."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any

import yaml

from . import PluginError
from .rules import Values

MANAGER = "pulumi-kubernetes"
GONE_WITHIN = 300  # seconds
LOOK_EVERY = 0.3
_SKIP = "pulumi.com/skipAwait"
_PATIENCE = "pulumi.com/timeoutSeconds"


class NotReady(PluginError):
    """An object is there, but doesn't become what it should be. The state keeps it."""

    def __init__(self, text: str, live: Values) -> None:
        super().__init__(text)
        self.live = live


@dataclass(frozen=True)
class Settings:
    """The way to the cluster."""

    kubeconfig: str = ""
    context: str | None = None
    namespace: str | None = None

    @property
    def document(self) -> Values:
        """The kubeconfig, given as text or as a file's path."""
        text = self.kubeconfig
        if "\n" not in text and Path(text or "~/.kube/config").expanduser().is_file():
            text = Path(text or "~/.kube/config").expanduser().read_text()
        found = yaml.safe_load(text) if text else None
        if not isinstance(found, dict):
            raise PluginError("the provider's kubeconfig is neither a kubeconfig nor a file of one")
        return found


class Cluster:
    """Connects when something is asked of it; a preview asks nothing."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def _client(self) -> Any:
        import kubernetes.client
        import kubernetes.config
        import kubernetes.dynamic

        configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config_from_dict(
            self.settings.document, self.settings.context, configuration
        )
        configuration.retries = 3
        return kubernetes.dynamic.DynamicClient(kubernetes.client.ApiClient(configuration))

    def _kind(self, manifest: Values) -> Any:
        from kubernetes.dynamic.exceptions import ResourceNotFoundError

        version, kind = manifest["apiVersion"], manifest["kind"]
        try:
            return self._client.resources.get(api_version=version, kind=kind)
        except ResourceNotFoundError:
            raise PluginError(
                f"the cluster knows no {kind} of {version}: its custom resource definition is not "
                "there (yet), or this is another version of Kubernetes"
            ) from None

    def _where(self, kind: Any, manifest: Values) -> dict[str, str]:
        meta = manifest["metadata"]
        namespace = meta.get("namespace") or self.settings.namespace or "default"
        return {"name": meta["name"]} | ({"namespace": namespace} if kind.namespaced else {})

    def id_of(self, manifest: Values) -> str:
        """`namespace/name`, or `name`, as the official provider has it."""
        where = self._where(self._kind(manifest), manifest)
        return "/".join(filter(None, [where.get("namespace"), where["name"]]))

    def apply(self, manifest: Values) -> Values:
        """Makes the object what the manifest says; fields of others are left to them."""
        kind = self._kind(manifest)
        answer = kind.server_side_apply(
            body=manifest, field_manager=MANAGER, **self._where(kind, manifest)
        )
        return dict(answer.to_dict())

    def get(self, manifest: Values) -> Values | None:
        """The object as it is, or nothing."""
        from kubernetes.dynamic.exceptions import NotFoundError

        kind = self._kind(manifest)
        try:
            return dict(kind.get(**self._where(kind, manifest)).to_dict())
        except NotFoundError:
            return None

    def delete(self, manifest: Values, cancelled: Event) -> None:
        """Deletes the object, and waits until it and what it owns are gone."""
        from kubernetes.dynamic.exceptions import NotFoundError

        kind = self._kind(manifest)
        where = self._where(kind, manifest)
        try:
            kind.delete(**where, body={"propagationPolicy": "Foreground"})
        except NotFoundError:
            return
        deadline = time.monotonic() + GONE_WITHIN
        while (left := self.get(manifest)) is not None:
            if time.monotonic() > deadline or cancelled.is_set():
                holds = ", ".join(left["metadata"].get("finalizers", [])) or "nothing that it says"
                raise PluginError(
                    f"{kind.kind} {where['name']} is still there after {GONE_WITHIN} seconds. "
                    f"It is held by: {holds}"
                )
            time.sleep(LOOK_EVERY)

    def wait(self, live: Values, progress: Callable[[str], None], cancelled: Event) -> Values:
        """The object once it is ready, for the kinds whose readiness means something."""
        look = _READY.get(live["kind"])
        notes = live["metadata"].get("annotations") or {}
        if look is None or notes.get(_SKIP) == "true":
            return live
        deadline = time.monotonic() + float(notes.get(_PATIENCE, 600))
        name = live["metadata"]["name"]
        while (lacking := look(self, live)) is not None:
            if time.monotonic() > deadline or cancelled.is_set():
                said = "; ".join(self._said_of(live))
                raise NotReady(f"{live['kind']} {name}: {lacking}. {said}".strip(), live)
            progress(lacking)
            time.sleep(LOOK_EVERY)
            live = self.get(live) or live
        return live

    def others(self, version: str, kind: str, namespace: str | None, **query: str) -> list[Values]:
        """Objects of a kind in a namespace."""
        resource = self._client.resources.get(api_version=version, kind=kind)
        found = resource.get(namespace=namespace, **query).to_dict()
        return list(found.get("items") or [])

    def _said_of(self, live: Values) -> list[str]:
        """What the cluster's latest warnings in the object's namespace are."""
        namespace = live["metadata"].get("namespace")
        found = self.others("v1", "Event", namespace, field_selector="type=Warning")
        name = live["metadata"]["name"]
        own = [e for e in found if e["involvedObject"].get("name", "").startswith(name)]
        return [f"{e['reason']}: {e['message']}" for e in own[-3:]]


def _workload(_: Cluster, live: Values) -> str | None:
    status, wanted = live.get("status") or {}, live["spec"].get("replicas", 1)
    seen = status.get("observedGeneration", 0) >= live["metadata"].get("generation", 0)
    ready = min(status.get("updatedReplicas") or 0, status.get("readyReplicas") or 0)
    stale = (status.get("replicas") or 0) > wanted
    if seen and ready >= wanted and not stale:
        return None
    return f"{ready} of {wanted} pods are ready"


def _claim(cluster: Cluster, live: Values) -> str | None:
    if (live.get("status") or {}).get("phase") == "Bound":
        return None
    name = live["spec"].get("storageClassName")
    classes = cluster.others("storage.k8s.io/v1", "StorageClass", None) if name else []
    mode = next((c.get("volumeBindingMode") for c in classes if c["metadata"]["name"] == name), "")
    # Such a class makes the volume when the first pod needs it.
    return None if mode == "WaitForFirstConsumer" else "waits for its volume"


def _service(cluster: Cluster, live: Values) -> str | None:
    spec = live["spec"]
    if spec.get("type") == "LoadBalancer":
        found = ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress")
        return None if found else "waits for the load balancer's address"
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
        return None
    if not spec.get("selector"):
        return None
    meta = live["metadata"]
    query = {"label_selector": f"kubernetes.io/service-name={meta['name']}"}
    slices = cluster.others("discovery.k8s.io/v1", "EndpointSlice", meta["namespace"], **query)
    ends = [end for each in slices for end in each.get("endpoints") or []]
    ready = [end for end in ends if (end.get("conditions") or {}).get("ready")]
    return None if ready else "no pod behind it is ready"


def _job(_: Cluster, live: Values) -> str | None:
    done = {
        c["type"]
        for c in (live.get("status") or {}).get("conditions") or []
        if c["status"] == "True"
    }
    return None if "Complete" in done else "has failed" if "Failed" in done else "is at work"


def _pod(_: Cluster, live: Values) -> str | None:
    status = live.get("status") or {}
    ready = {c["type"] for c in status.get("conditions") or [] if c["status"] == "True"}
    if status.get("phase") == "Succeeded" or "Ready" in ready:
        return None
    return f"is {status.get('phase') or 'not scheduled'}"


_READY: dict[str, Callable[[Cluster, Values], str | None]] = {
    "Deployment": _workload,
    "StatefulSet": _workload,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
    "Job": _job,
    "Pod": _pod,
}


def told(error: Exception) -> str | None:
    """The user's line for an error of the client, None for an error that is not one."""
    import urllib3.exceptions
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config.config_exception import ConfigException

    if isinstance(error, PluginError):
        return str(error)
    if isinstance(error, ApiException):
        try:
            return f"the cluster says: {json.loads(error.body)['message']}"
        except (TypeError, ValueError, KeyError):
            return f"the cluster says: {error.status} {error.reason}"
    if isinstance(error, ConfigException):
        return f"the kubeconfig can't be used: {error}"
    if isinstance(error, urllib3.exceptions.HTTPError | OSError):
        return f"no connection to the cluster: {error}"
    return None


def decoded(live: Values, wanted: Values) -> Values:
    """A secret's values as a program wrote them: the API only gives `data` back."""
    if "stringData" not in wanted:
        return live
    data = live.get("data") or {}
    named = {k: base64.b64decode(data[k]).decode() for k in wanted["stringData"] if k in data}
    return live | {"stringData": named}
