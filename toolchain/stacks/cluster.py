"""The way into a stack's cluster: kubectl, with the stack's own kubeconfig."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..setup.steps import Problem
from .stack import Stack

HUB = "deployment/hub"  # as the chart Zero to JupyterHub calls it
_KUBECTL = ("command terminated with exit code", "Defaulted container ")  # its own words


@dataclass(frozen=True)
class Cluster:
    """A namespace of a cluster. `words` are kubectl's, up to what it is to do."""

    stack: str
    deployment: str
    words: tuple[str, ...]

    def into(self, what: str) -> tuple[str, ...]:
        """The words before a command that runs in a pod."""
        return (*self.words, "exec", "-i", what, "--")

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Runs kubectl and captures what it prints."""
        command = [*self.words, *words]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False)

    def ask(self, *words: str, given: str = "") -> str:
        """What a kubectl prints that has to work."""
        done = self.run(*words, given=given)
        if done.returncode:
            raise Problem(f"The cluster of {self.stack} says: {said(done.stderr)}")
        return done.stdout

    def show(self, *words: str) -> None:
        """Runs kubectl on this terminal, until it ends or somebody has seen enough."""
        try:
            subprocess.run([*self.words, *words], stdin=subprocess.DEVNULL, check=False)
        except KeyboardInterrupt:
            return


@contextmanager
def way(stack: Stack) -> Iterator[Cluster]:
    """The way into the cluster of a stack that is up."""
    if shutil.which("kubectl") is None:
        raise Problem(
            "kubectl is not on this computer: install it (https://kubernetes.io/docs/tasks/tools), "
            "then run the same again."
        )
    told = stack.outputs()
    if "kubeconfig" not in told:
        raise Problem(f"The hub has no cluster yet: make up STACK={stack.name}")
    context = stack.facts["context"]
    with tempfile.NamedTemporaryFile("w", suffix=".kubeconfig") as file:  # 0600
        file.write(str(told["kubeconfig"]))
        file.flush()
        chosen = ("--context", str(context)) if context else ()
        namespace = ("--namespace", str(told.get("namespace") or stack.deployment))
        words = ("kubectl", "--kubeconfig", file.name, *chosen, *namespace)
        yield Cluster(stack.name, stack.deployment, words)


def said(text: str) -> str:
    """The last line that a command printed, without what kubectl adds of its own."""
    lines = [line for line in text.strip().splitlines() if not line.startswith(_KUBECTL)]
    return (lines or ["nothing"])[-1]
