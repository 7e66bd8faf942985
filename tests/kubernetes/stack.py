"""A stack in a real cluster, made by the project's own `make up`: real engine, real helm.

Charts are in no package registry. Those in `charts` are stand-ins, unless the environment names a
folder with the real ones (PULUMI_JUPYTERHUB_TEST_CHARTS), and images of this machine's engine that
they need besides (PULUMI_JUPYTERHUB_TEST_IMAGES, by commas).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hubkit.login.passwords import first_password

from components.images import egress_here
from tests.checkout import ENGINE, ROOT, Checkout
from tests.client import User
from tests.servers import kubernetes
from tests.servers.kubernetes import Cluster, build, kubectl
from toolchain.setup.base_images import TRAEFIK, TRAEFIK_VERSION

HERE = Path(__file__).parent
CHARTS = Path(os.environ.get("PULUMI_JUPYTERHUB_TEST_CHARTS", HERE / "charts"))
IMAGES = [each for each in os.environ.get("PULUMI_JUPYTERHUB_TEST_IMAGES", "").split(",") if each]
PORT = 8497
PROXY = "quay.io/jupyterhub/configurable-http-proxy:5.3.0"  # as the chart names it
HUB, NOTEBOOK = ("pulumi-jupyterhub/test-hub:1", "pulumi-jupyterhub/test-notebook:1")
COURSE = '{"year": 2026}'  # in braces, which KubeSpawner would fill in


def _image(title: str, limit: str, guarantee: str) -> dict[str, Any]:
    source = {"reference": NOTEBOOK}
    sizes = {"memory_limit": limit, "memory_guarantee": guarantee}
    return {"title": title, "source": source} | sizes


CONFIG: dict[str, Any] = {
    "platform": "kubernetes",
    "volumes": {
        "homes": {"kind": "claim", "size": 1, "one_node": True},
        "shared": {"size": 1, "one_node": True},
    },
    "proxy": {
        "https_port": PORT,
        "tls": {"kind": "self_signed"},
        "cluster": {"values": {"image": {"tag": f"v{TRAEFIK_VERSION}"}}},
    },
    "hub": {
        "login": {"kind": "roster", "users": ["anna", "b.rossi@unipd.it"]},
        "admins": ["teacher"],
        "environment": {"COURSE": COURSE},
        "image": {"reference": HUB},
        "images": [
            _image("Python", "1G", "128M"),
            _image("Huge", "900G", "900G"),  # refused by the preview, where no pool is said
        ],
        "pods": {"pull_ahead": False, "start_timeout": 300, "disruption_budgets": False},
    },
}


class Hub:
    """A hub in the cluster."""

    def __init__(self, cluster: Cluster, checkout: Checkout) -> None:
        self.cluster, self.checkout = cluster, checkout
        self.url = str(checkout.outputs["url"])

    def kubectl(self, *words: str, given: str | None = None) -> str:
        return kubectl(self.cluster, "-n", self.checkout.deployment, *words, given=given)

    def visitor(self, name: str) -> User:
        """Somebody at the login page."""
        return User(self.url, name, verify=False)

    def user(self, name: str, password: str | None = None) -> User:
        """Somebody who is in, by default with the first password."""
        user, key = self.visitor(name), self.checkout.secrets()["roster_key"]
        answer = user.login(password or first_password(key, name, 0))
        assert answer.status_code == 302, f"{name} can't log in: {answer.text}"
        return user

    def pods(self) -> list[dict[str, Any]]:
        """Servers of users."""
        shown = self.kubectl("get", "pods", "-l", "component=singleuser-server", "-o", "json")
        return list(json.loads(shown)["items"])


def checkout(folder: Path, cluster: Cluster) -> Checkout:
    """A stack file for the cluster."""
    made = Checkout(folder, "tcluster", 27, {}, seeded=False)
    made.environment |= {"CHARTS": str(CHARTS), "HELM": str(build.programs() / "helm")}
    # Without what the tests themselves run with: the checkout finds out what it needs.
    others = [each for each in os.environ["PATH"].split(":") if not each.startswith(str(ROOT))]
    made.environment["PATH"] = ":".join([str(HERE / "bin"), *others])
    made.file.unlink()
    made.configure(**CONFIG)
    way = {"kubeconfig_file": str(cluster.kubeconfig)}
    chosen = {"storage_class": cluster.storage_class} if cluster.storage_class else {}
    pools = {"pools": [{"name": "huge", "cpus": 64, "memory": "999G"}]}
    made.configure(cluster=way | chosen | pools)
    made.seed("kubernetes")
    return made


@contextmanager
def running(folder: Path, cluster: Cluster) -> Iterator[Hub]:
    """The stack, up; purged afterwards."""
    made = checkout(folder / "stack", cluster)
    load_images(folder / "images", cluster)
    claims = [f"{made.deployment}-{name}" for name in ("homes", "shared", "state", "certificates")]
    if given := cluster.volumes(made.deployment, *claims):
        kubectl(cluster, "apply", "-f", "-", given=yaml.safe_dump_all(given))
    with load_balancer(cluster, made.deployment):
        made.make("up", timeout=900)
        yield Hub(cluster, made)
    made.make("purge", "YES=1")


@contextmanager
def load_balancer(cluster: Cluster, deployment: str) -> Iterator[None]:
    """Stands in for a cloud's: the proxy's service gets an address here, which leads to it."""
    way = [str(kubernetes.program()), "--kubeconfig", str(cluster.kubeconfig), "-n", deployment]
    service, given = f"{deployment}-proxy", {"ingress": [{"ip": "127.0.0.1"}]}
    patch = ["patch", "service", service, "--subresource=status", "-p"]
    status = json.dumps({"status": {"loadBalancer": given}})
    over = threading.Event()

    def start(*words: str) -> subprocess.Popen[bytes]:
        away = subprocess.DEVNULL
        return subprocess.Popen([*way, *words], stdout=away, stderr=away)

    def serve() -> None:
        while not over.wait(1):
            if start(*patch, status).wait():
                continue  # there is no such service yet
            forward = start("port-forward", f"svc/{service}", f"{PORT}:{PORT}")
            while forward.poll() is None and not over.wait(0.2):
                pass  # it ends with the pod that it leads to
            forward.terminate()
            forward.wait(10)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def load_images(folder: Path, cluster: Cluster) -> None:
    """Ours as they are, and the chart's proxy."""
    for tag, context in ((HUB, "images/hub"), (NOTEBOOK, "images/notebook")):
        build_image(folder, ROOT / context, tag)
    proxy = folder / "proxy"
    shutil.copytree(HERE / "proxy", proxy)
    module = PROXY.rpartition("/")[2].replace(":", "@")
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(proxy), module]
    subprocess.run(npm, check=True)
    ENGINE.images.build(path=str(proxy), tag=PROXY, rm=True, network_mode="host")
    for image in (HUB, NOTEBOOK, PROXY, TRAEFIK, *IMAGES):
        cluster.load(image)


def build_image(folder: Path, context: Path, tag: str, **arguments: str) -> None:
    """Builds an image of the project."""
    copy = folder / context.name
    shutil.copytree(context, copy)
    if bundle := egress_here().get("ca_bundle"):
        shutil.copy2(bundle, copy / "extra-ca.crt")
    ENGINE.images.build(path=str(copy), tag=tag, rm=True, network_mode="host", buildargs=arguments)
