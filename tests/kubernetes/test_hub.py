"""Our hub image on a real Kubernetes: login, a pod with a notebook, a cell, a home that is kept.

What the chart makes is a stand-in here (`chart`), as the chart is in no package registry: the same
objects, the same user, and in chart_config.py what its configuration sets.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from hubkit.login.passwords import first_password

from components import JupyterHubHostArgs
from components.images import egress_here
from components.jupyterhub_host.settings import settings_document
from tests.checkout import ENGINE, ROOT
from tests.client import User, eventually, logged_in
from tests.servers import kubernetes
from tests.servers.kubernetes import Cluster, kubectl

NAMESPACE = "jupyterhub-t"
KEY = "ef" * 32
PORT = 8497
PROXY = "configurable-http-proxy@5.3.0"
HUB, NOTEBOOK, CHP = (f"pulumi-jupyterhub/test-{name}:1" for name in ("hub", "notebook", "chp"))
CLAIMS = ("hub-db-dir", "homes")
AS_USER = {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000}


@dataclass(frozen=True)
class Hub:
    """The hub on the cluster."""

    cluster: Cluster
    url: str

    def kubectl(self, *words: str, given: str | None = None) -> str:
        return kubectl(self.cluster, "-n", NAMESPACE, *words, given=given)

    def user(self, name: str) -> User:
        return logged_in(self.url, name, first_password(KEY, name, 0))

    def pods(self) -> list[dict[str, Any]]:
        shown = self.kubectl("get", "pods", "-l", "component=singleuser-server", "-o", "json")
        return list(json.loads(shown)["items"])


@pytest.fixture(scope="module")
def hub(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    begun = time.monotonic()
    _images(tmp_path_factory.mktemp("proxy"))
    for image in (HUB, NOTEBOOK, CHP):
        cluster.load(image)
    print(f"images built and on the cluster: {time.monotonic() - begun:.0f} s")
    objects = [*cluster.volumes(NAMESPACE, *CLAIMS), *chart()]
    kubectl(cluster, "apply", "-f", "-", given=yaml.safe_dump_all(objects))
    for name in ("proxy", "hub"):
        status = ["rollout", "status", f"deploy/{name}", "--timeout=180s"]
        kubectl(cluster, "-n", NAMESPACE, *status)
    with _forwarded(cluster) as url:
        yield Hub(cluster, url)
    kubectl(cluster, "delete", "namespace", NAMESPACE, "--timeout=120s")


@contextmanager
def _forwarded(cluster: Cluster) -> Iterator[str]:
    """A way from this machine to the proxy, wherever the cluster is."""
    command = [kubernetes.program(), "--kubeconfig", cluster.kubeconfig, "-n", NAMESPACE]
    process = subprocess.Popen(
        [*command, "port-forward", "svc/proxy-public", f"{PORT}:80"], stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{PORT}"
    try:
        eventually("the hub", lambda: requests.get(f"{url}/hub/health", timeout=5).ok, 60)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _images(folder: Path) -> None:
    """Ours as they are, and the chart's proxy."""
    shutil.copytree(Path(__file__).with_name("proxy"), folder, dirs_exist_ok=True)
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), PROXY]
    subprocess.run(npm, check=True)
    egress = egress_here()
    bundle = egress.get("ca_bundle")
    for tag, context in ((HUB, ROOT / "images/hub"), (NOTEBOOK, ROOT / "images/notebook")):
        copy = folder.parent / context.name
        shutil.copytree(context, copy)
        if bundle:
            shutil.copy2(bundle, copy / "extra-ca.crt")
        ENGINE.images.build(path=str(copy), tag=tag, rm=True, network_mode="host")
    ENGINE.images.build(path=str(folder), tag=CHP, rm=True, network_mode="host")


def chart() -> list[dict[str, Any]]:
    """What the chart would make, named as it names things."""
    settings = settings_document(
        JupyterHubHostArgs(
            login={"kind": "roster", "users": ["anna", "b.rossi@unipd.it"]}, admins=["teacher"]
        ),
        deployment=NAMESPACE,
        public_url=f"http://127.0.0.1:{PORT}",
        references=["as-the-chart-says"],
        environment={},
        engine=None,
    )
    secrets = {"cookie_secret": "ab" * 32, "crypt_key": "cd" * 32, "roster_key": KEY}
    files = {"settings.json": json.dumps(settings), "secrets.json": json.dumps(secrets)}
    config = Path(__file__).with_name("chart_config.py").read_text()
    return [
        _object("v1", "Namespace", NAMESPACE, namespace=None),
        *(_claim(name) for name in CLAIMS),
        _object("v1", "Secret", "hub-files", stringData=files),
        _object("v1", "ConfigMap", "hub", data={"jupyterhub_config.py": config}),
        *_rights(),
        _service("hub", 8081, 8081),
        _service("proxy-api", 8001, 8001, selects="proxy"),
        _service("proxy-public", 80, 8000, selects="proxy"),
        _deployment("proxy", _proxy_pod()),
        _deployment("hub", _hub_pod()),
    ]


def _object(
    version: str, kind: str, name: str, namespace: str | None = NAMESPACE, **rest: Any
) -> dict[str, Any]:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": meta, **rest}


def _claim(name: str) -> dict[str, Any]:
    request = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": request, "storageClassName": ""}
    if os.environ.get(kubernetes.VARIABLE):
        del spec["storageClassName"]  # the cluster's default
    return _object("v1", "PersistentVolumeClaim", name, spec=spec)


def _rights() -> list[dict[str, Any]]:
    """The chart's own: what the hub may do in its namespace."""
    group = "rbac.authorization.k8s.io"
    made = ["pods", "persistentvolumeclaims", "secrets", "services"]
    verbs = ["get", "watch", "list", "create", "delete"]
    rules = [
        {"apiGroups": [""], "resources": made, "verbs": verbs},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "watch", "list"]},
    ]
    subject = {"kind": "ServiceAccount", "name": "hub", "namespace": NAMESPACE}
    reference = {"kind": "Role", "name": "hub", "apiGroup": group}
    return [
        _object("v1", "ServiceAccount", "hub"),
        _object(f"{group}/v1", "Role", "hub", rules=rules),
        _object(f"{group}/v1", "RoleBinding", "hub", subjects=[subject], roleRef=reference),
    ]


def _service(name: str, port: int, target: int, selects: str | None = None) -> dict[str, Any]:
    ports = [{"port": port, "targetPort": target}]
    spec = {"selector": {"component": selects or name}, "ports": ports}
    return _object("v1", "Service", name, spec=spec)


def _deployment(name: str, pod: dict[str, Any]) -> dict[str, Any]:
    labels = {"component": name}
    return _object(
        "apps/v1",
        "Deployment",
        name,
        spec={
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    )


def _proxy_pod() -> dict[str, Any]:
    arguments = ["--ip=", "--api-ip=", "--api-port=8001", "--port=8000"]
    targets = ["--default-target=http://hub:8081", "--error-target=http://hub:8081/hub/error"]
    container = {
        "name": "chp",
        "image": CHP,
        "imagePullPolicy": "Never",
        "args": [*arguments, *targets],
        "env": [{"name": "CONFIGPROXY_AUTH_TOKEN", "value": "only-a-test"}],
        "readinessProbe": {"tcpSocket": {"port": 8001}, "periodSeconds": 1},
    }
    return {"containers": [container]}


def _hub_pod() -> dict[str, Any]:
    here = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    config = "/usr/local/etc/jupyterhub/jupyterhub_config.py"
    container = {
        "name": "hub",
        "image": HUB,
        "imagePullPolicy": "Never",
        "args": ["jupyterhub", "--config", config, "--upgrade-db"],
        "env": [
            {"name": "PYTHONUNBUFFERED", "value": "1"},
            {"name": "POD_NAMESPACE", "valueFrom": here},
            {"name": "CONFIGPROXY_AUTH_TOKEN", "value": "only-a-test"},
            {"name": "NOTEBOOK_IMAGE", "value": NOTEBOOK},
        ],
        "volumeMounts": [
            {"name": "config", "mountPath": config, "subPath": "jupyterhub_config.py"},
            {"name": "files", "mountPath": "/etc/jupyterhub"},
            {"name": "state", "mountPath": "/srv/state"},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsUser": 1000,
            "runAsGroup": 1000,
        },
        "readinessProbe": {"httpGet": {"path": "/hub/health", "port": 8081}, "periodSeconds": 1},
    }
    return {
        "serviceAccountName": "hub",
        "securityContext": AS_USER,
        "containers": [container],
        "volumes": [
            {"name": "config", "configMap": {"name": "hub"}},
            {"name": "files", "secret": {"secretName": "hub-files"}},
            {"name": "state", "persistentVolumeClaim": {"claimName": "hub-db-dir"}},
        ],
    }


def started(user: User) -> float:
    """A server of the size that there is room for; the seconds it took."""
    return user.start("python", chosen_as="profile")


def test_a_notebook_in_a_pod_and_a_home_that_is_kept(hub: Hub) -> None:
    name = "b.rossi@unipd.it"
    user = hub.user(name)
    print(f"first server: {started(user):.1f} s")
    assert user.run("print(6 * 7)") == "42"
    user.run("open('kept.txt', 'w').write('mine')")
    user.stop()
    eventually("no pod", lambda: not hub.pods())
    print(f"second server: {started(user):.1f} s")
    assert user.run("print(open('kept.txt').read())") == "mine"
    (pod,) = hub.pods()
    (home,) = (m for m in pod["spec"]["containers"][0]["volumeMounts"] if m["name"] == "home")
    assert home["subPath"] == "b-2erossi-40unipd-2eit"
    user.stop()


def test_others_stay_out(hub: Hub) -> None:
    answer = User(hub.url, "mallory").login("bakery-lemon")
    assert answer.status_code == 403


def test_a_new_hub_ends_no_server(hub: Hub) -> None:
    user = hub.user("anna")
    started(user)
    with user.kernel() as kernel:
        kernel.run("x = 5")
        hub.kubectl("rollout", "restart", "deploy/hub")
        hub.kubectl("rollout", "status", "deploy/hub", "--timeout=120s")
        assert kernel.run("print(x)") == "5"
    assert user.is_open()
    user.stop()


def test_what_no_machine_holds_is_told_in_words(hub: Hub) -> None:
    user = hub.user("anna")
    user.ask_for_server("huge", "profile")

    def told() -> bool:
        page = user.session.get(f"{hub.url}/hub/spawn-pending/anna").text
        return "no machine has enough free memory" in page

    eventually("why there is no server", told, 90)
    eventually("no pod", lambda: not hub.pods())
