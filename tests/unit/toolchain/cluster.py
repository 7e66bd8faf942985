"""A cluster in a folder, behind a script `kubectl`: claims are folders, a pod is a file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from toolchain.stacks.stack import Stack

HUB_POD = {
    "imagePullSecrets": [{"name": "registry"}],
    "containers": [
        {"name": "sidecar", "image": "other:1"},
        {"name": "hub", "image": "ghcr.io/you/hub@sha256:1", "imagePullPolicy": "Always"},
    ],
}
_KUBECTL = """\
#!{python}
import json, os, shutil, sys
from pathlib import Path

root = Path({root!r})
assert sys.argv[1] == "--kubeconfig" and "--namespace" in sys.argv
file = Path(sys.argv[2])
words = sys.argv[sys.argv.index("--namespace") + 2 :]
asked = dict(words=sys.argv[3:], kubeconfig=file.read_text(), mode=file.stat().st_mode & 0o777)
with (root / "asked.jsonl").open("a") as log:
    log.write(json.dumps(asked | dict(file=str(file))) + "\\n")
pod = root / "pod.json"


def mounted():
    spec = json.loads(pod.read_text())["spec"]
    (volume,), (mount,) = spec["volumes"], spec["containers"][0]["volumeMounts"]
    return root / "claims" / volume["persistentVolumeClaim"]["claimName"], mount["readOnly"]


def execute(where, inside):
    given = root / "says" / inside[-1]
    if where == "deployment/hub" and given.exists():
        if inside[-1] == "import":
            (root / "imported.json").write_text(sys.stdin.read())
        print(given.read_text())
    elif where == "deployment/hub":
        said = root / "refuses"
        print(said.read_text() if said.exists() else "nobody knows " + inside[-1], file=sys.stderr)
        print("command terminated with exit code 1", file=sys.stderr)
        sys.exit(1)
    else:
        claim, read_only = mounted()
        assert not (read_only and "unpack" in inside), "a read-only claim"
        run = "import os; os.path.ismount = os.path.isdir; "
        run += "from hubkit import graduation; graduation.main()"
        os.execv({python!r}, [{python!r}, "-c", run, "--homes", str(claim), *inside[3:]])


match words:
    case ["get", "deployment/hub", "--output=json"]:
        print((root / "hub.json").read_text())
    case ["get", "deployments", *_, which]:
        print((root / "deployments" / which.replace("/", "_")).read_text(), end="")
    case ["get", "persistentvolumeclaim", name, *_]:
        print("Bound" if (root / "claims" / name).is_dir() else "", end="")
    case ["get", "events", *_]:
        print("0/3 nodes are available: volume is on another node.")
    case ["create", "--filename=-"]:
        made = json.loads(sys.stdin.read())
        name = made["metadata"]["name"]
        if made["kind"] == "Pod":
            if pod.exists():
                sys.exit("pods already exists")
            pod.write_text(json.dumps(made))
            with (root / "pods.jsonl").open("a") as log:
                log.write(json.dumps(made) + "\\n")
        else:
            (root / "claims" / name).mkdir()
    case ["delete", "pod", *_]:
        pod.unlink(missing_ok=True)
    case ["wait", *_]:
        sys.exit((root / "stuck").exists())
    case ["logs", deployment, *_]:
        print("what", deployment, "says", flush=True)
    case ["exec", *more]:
        end = more.index("--")
        execute(more[end - 1], more[end + 1 :])
    case _:
        sys.exit(f"kubectl does not know {{words}}")
"""


class FakeCluster:
    """What is in it, and what it was asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("claims", "deployments", "says", "bin"):
            (root / folder).mkdir(parents=True)
        (root / "hub.json").write_text(json.dumps({"spec": {"template": {"spec": HUB_POD}}}))
        for which in ("hub", "proxy"):
            (root / "deployments" / which).write_text(f"deployment.apps/{which}\n")
        traefik = "--selector=app.kubernetes.io_name=traefik"
        self.traefik = root / "deployments" / traefik
        self.traefik.write_text("deployment.apps/jupyterhub-facility-proxy\n")
        script = root / "bin" / "kubectl"
        script.write_text(_KUBECTL.format(python=sys.executable, root=str(root)))
        script.chmod(0o755)

    def says(self, word: str, answer: str) -> None:
        """What the hub's pod answers to a command that ends with this word."""
        (self.root / "says" / word).write_text(answer)

    def claim(self, name: str) -> Path:
        return self.root / "claims" / name

    @property
    def asked(self) -> list[dict[str, Any]]:
        return self._lines("asked.jsonl")

    @property
    def pods(self) -> list[dict[str, Any]]:
        """All that were ever made."""
        return self._lines("pods.jsonl")

    def has_pod(self) -> bool:
        return (self.root / "pod.json").exists()

    def imported(self) -> Any:
        file = self.root / "imported.json"
        return json.loads(file.read_text()) if file.exists() else None

    def _lines(self, name: str) -> list[dict[str, Any]]:
        file = self.root / name
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]


def made(root: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A cluster whose `kubectl` is the first on the PATH."""
    cluster = FakeCluster(root)
    monkeypatch.setenv("PATH", f"{root / 'bin'}:{os.environ['PATH']}")
    return cluster


def stack(name: str, platform: str = "kubernetes", **facts: Any) -> Stack:
    """A stack that is up."""
    found = Stack(name)
    found.__dict__["facts"] = {"platform": platform, "context": None, "docker": None} | facts
    told = {"url": f"https://{name}.example.org"}
    if platform == "kubernetes":
        told |= {"kubeconfig": f"of: {name}", "namespace": f"class-{name}"}
    found.outputs = lambda: told  # type: ignore[method-assign]
    return found
