"""A cluster for tests: the one that a variable names, or a node of our own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import yaml

from . import node

VARIABLE = "PULUMI_JUPYTERHUB_TEST_KUBECONFIG"


class Cluster(Protocol):
    """What tests need of one."""

    kubeconfig: Path
    storage_class: str | None  # of `volumes`; None is the cluster's default

    def load(self, image: str) -> None:
        """Brings an image of this machine's Docker engine onto it."""

    def volumes(self, namespace: str, *names: str) -> list[dict[str, Any]]:
        """Volumes for the claims of a namespace, where the cluster makes none by itself."""


class Given:
    """A cluster that somebody else made: kind, or any that has the images already."""

    storage_class: str | None = None

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def load(self, image: str) -> None:
        """Only kind takes images from here."""
        context = str(yaml.safe_load(self.kubeconfig.read_text())["current-context"])
        if context.startswith("kind-"):
            name = context.removeprefix("kind-")
            subprocess.run(["kind", "load", "docker-image", image, "--name", name], check=True)

    def volumes(self, namespace: str, *names: str) -> list[dict[str, Any]]:
        """None: its storage class makes them."""
        return []


def missing() -> str | None:
    """Why there is no cluster, or nothing."""
    if os.environ.get(VARIABLE):
        return None
    reason = node.missing()
    return reason and f"{reason}; {VARIABLE} may name the kubeconfig of a cluster, kind's too"


@contextmanager
def running() -> Iterator[Cluster]:
    """A cluster; one of our own is ended afterwards."""
    if given := os.environ.get(VARIABLE):
        yield Given(Path(given))
    else:
        with node.running() as own:
            yield own


def program() -> Path:
    """The kubectl that was built, or this machine's."""
    own = node.build.programs() / "kubectl"
    return own if own.exists() else Path("kubectl")


def kubectl(cluster: Cluster, *words: str, given: str | None = None) -> str:
    """Runs kubectl; what it prints."""
    done = subprocess.run(
        [program(), "--kubeconfig", cluster.kubeconfig, *words],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
    return done.stdout
