"""A stand-in for a cluster's API server: it answers what the project itself asks."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Cluster:
    """What there is; a test changes it as it likes."""

    def __init__(self) -> None:
        self.id = "11111111-2222-3333-4444-555555555555"
        self.default_class: str | None = "standard"
        self.storage_classes = ["standard", "nfs"]
        self.ingress_classes = ["nginx"]
        self.node = {"cpu": "3920m", "memory": "16Gi"}
        self.secrets: dict[str, dict[str, str]] = {}  # helm's, by name: their labels
        self.claims: list[str] = []
        self.port = 0

    def answer(self, path: str, selector: str) -> dict[str, Any] | None:
        """What is at an address."""
        if path == "/api/v1/namespaces/kube-system":
            return {"metadata": {"name": "kube-system", "uid": self.id}}
        if path.endswith("/storageclasses"):
            return _listed([self._class(name) for name in self.storage_classes])
        if path.endswith("/ingressclasses"):
            return _listed([{"metadata": {"name": name}} for name in self.ingress_classes])
        if path == "/api/v1/nodes":
            return _listed([{"metadata": {"name": "one"}, "status": {"allocatable": self.node}}])
        if path.endswith("/persistentvolumeclaims"):
            return _listed([{"metadata": {"name": name}} for name in self.claims])
        if path.endswith("/secrets"):
            found = {k: v for k, v in self.secrets.items() if _selected(v, selector)}
            return _listed([{"metadata": {"name": k, "labels": v}} for k, v in found.items()])
        return None

    def _class(self, name: str) -> dict[str, Any]:
        default = {"storageclass.kubernetes.io/is-default-class": "true"}
        annotations = default if name == self.default_class else {}
        return {"metadata": {"name": name, "annotations": annotations}, "provisioner": "x"}

    @property
    def kubeconfig(self) -> str:
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )

    @contextmanager
    def listening(
        self, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> Iterator[None]:
        server = ThreadingHTTPServer((address, self.port), _handler(self))
        self.port = server.server_port
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()


def _selected(labels: dict[str, str], selector: str) -> bool:
    """As far as the project's own selectors go: `a=b`, and `status in (…)`."""
    for part in ("owner", "name"):
        wanted = [w for w in selector.split(",") if w.startswith(f"{part}=")]
        if wanted and labels.get(part) != wanted[0].partition("=")[2]:
            return False
    states = selector.partition(" in (")[2].partition(")")[0]
    return not states or labels["status"] in states.split(",")


def _listed(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": items}


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            selector = parse_qs(address.query).get("labelSelector", [""])[0]
            found = cluster.answer(address.path, selector)
            self._send(404 if found is None else 200, found or {"kind": "Status", "code": 404})

        def do_DELETE(self) -> None:
            cluster.secrets.pop(self.path.rsplit("/", 1)[-1])
            self._send(200, {"kind": "Status", "status": "Success"})

        def _send(self, code: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
