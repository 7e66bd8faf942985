"""Kubernetes' programs, its two system images, and helm, from published Go modules, once."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path

from toolchain.setup import go, paths
from toolchain.setup.steps import lock

VERSION = "1.34.2"
COREDNS = "1.12.4"
HELM = "3.19.4"
HERE = Path(__file__).parent
PROGRAMS = (
    "kubectl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
)


def programs() -> Path:
    """Where all of it is kept."""
    return paths.cache() / f"kubernetes-{VERSION}"


def folder() -> Path:
    """The same, once all is there: 10 minutes on 2 cores, goes on where it was stopped."""
    made = programs()
    made.mkdir(exist_ok=True)
    with lock("kubernetes"):
        _kubernetes(made)
        _own(made, "coredns", f"github.com/coredns/coredns@v{COREDNS}")
        _own(made, "pause")
        _helm(made)
        for name in ("coredns", "pause"):
            if not (made / f"{name}.tar").exists():
                _image(made / name, made / f"{name}.tar")
    return made


def _kubernetes(made: Path) -> None:
    missing = [program for program in PROGRAMS if not (made / program).exists()]
    if not missing:
        return
    with go.workspace() as space:
        source = Path(space)
        _go(source, "mod", "init", "kubernetes")
        _replace_staging(source)
        commands = [f"k8s.io/kubernetes/cmd/{program}" for program in PROGRAMS]
        _go(source, "get", *(f"{command}@v{VERSION}" for command in commands))
        major, minor, _ = VERSION.split(".")
        facts = {"Version": f"v{VERSION}", "Major": major, "Minor": minor, "TreeState": "clean"}
        flags = " ".join(f"-X k8s.io/component-base/version.git{k}={v}" for k, v in facts.items())
        for program in missing:
            package = f"k8s.io/kubernetes/cmd/{program}"
            go.build(source, package, flags, made / program, f"building {program}", cgo=False)


def _replace_staging(source: Path) -> None:
    """Kubernetes' parts are folders in its own module, and modules of their own elsewhere."""
    shown = _go(source, "mod", "download", "-json", f"k8s.io/kubernetes@v{VERSION}")
    requirements = Path(json.loads(shown)["GoMod"]).read_text()
    version = VERSION.replace("1.", "0.", 1)
    parts = re.findall(r"^\s*(k8s\.io/[a-z0-9-]+) => \./staging", requirements, re.M)
    _go(source, "mod", "edit", *(f"-replace={part}={part}@v{version}" for part in parts))


def _own(made: Path, name: str, requirement: str | None = None) -> None:
    """A program whose main file is beside this one."""
    if (made / name).exists():
        return
    with go.workspace() as space:
        source = Path(space)
        (source / "main.go").write_text((HERE / f"{name}.go").read_text())
        _go(source, "mod", "init", name)
        if requirement:
            _go(source, "get", requirement)
            _go(source, "mod", "tidy")
        go.build(source, ".", "", made / name, f"building {name}", cgo=False)


def _helm(made: Path) -> None:
    if (made / "helm").exists():
        return
    with go.workspace() as space:
        source = Path(space) / "helm"
        go.module("helm.sh/helm/v3", HELM, source)
        go.build(source, "./cmd/helm", "", made / "helm", "building helm", cgo=False)


def _go(source: Path, *words: str) -> str:
    answer = subprocess.run(
        [go.compiler(), *words],
        cwd=source,
        env=go.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, f"go {words[0]}: {answer.stderr}"
    return answer.stdout


def _image(program: Path, target: Path) -> None:
    """An image of one static program, as `docker save` writes it."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(program, program.name)
    config = {
        "architecture": go.architecture(),
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"]},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"],
        },
    }
    manifest = [
        {
            "Config": "config.json",
            "RepoTags": [f"docker.io/local/{program.name}:1"],
            "Layers": ["layer.tar"],
        }
    ]
    files = {
        "layer.tar": layer.getvalue(),
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    partial.rename(target)
