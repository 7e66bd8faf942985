"""Builds an image, scans it, pushes it: what CI does for each image and kind of processor."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..setup import paths, python_env
from ..setup.steps import Problem, step

_ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--image", default="")
    parser.add_argument("--registry", default="", help="ghcr.io/you/hubs")
    parser.add_argument("--scan", action="store_true", help="with trivy, before it is pushed")
    parser.add_argument("--join", default="", metavar="DIGESTS", help="of one image, into one name")
    parser.add_argument("--out", default="", metavar="FILE", help="for the reference")


def run(given: Namespace) -> None:
    """Runs it."""
    if given.join:
        join(given.image, given.registry, given.join.split(), given.out)
    else:
        publish(given.image, given.registry, given.out, given.scan)


def publish(image: str, registry: str, out: str, scan: bool) -> None:
    """Builds for this machine's processor, scans, pushes; writes `name@sha256:…` to `out`.

    A finding stops it before anything is pushed.
    """
    if not registry:
        raise Problem("Where to? make publish IMAGE=hub REGISTRY=ghcr.io/you/hubs")
    python_env.ensure()
    known = _images()
    tags = known["tags"]
    if image not in tags:
        raise Problem(f"There is no images/{image}. Images here: {', '.join(sorted(tags))}.")
    local = _built(image, known)
    if scan:
        _scan(local)
    arch = _ARCHES.get(platform.machine(), platform.machine())
    name = f"{registry.lower()}/{image}"
    remote = f"{name}:{tags[image]}-{arch}"
    _docker("tag", local, remote)
    with step(f"Push of {remote}"):
        _docker("push", "--quiet", remote)
    _write(f"{name}@{_digest(remote, name)}", out)


def join(image: str, registry: str, digests: Sequence[str], out: str) -> None:
    """One name for the same image on several kinds of processor; writes its digest to `out`."""
    python_env.ensure()
    name = f"{registry.lower()}/{image}"
    whole = f"{name}:{_images()['tags'][image]}"
    insecure = ["--insecure"] if re.match(r"(127\.0\.0\.1|localhost):", registry) else []
    _docker("manifest", "rm", whole, check=False)
    _docker("manifest", "create", *insecure, whole, *digests)
    digest = _docker("manifest", "push", "--purge", *insecure, whole).split()[-1]
    if not digest.startswith("sha256:"):
        raise Problem(f"docker manifest push said no digest, but: {digest}")
    _write(f"{name}@{digest}", out)


def _built(image: str, known: Mapping[str, Mapping[str, str]]) -> str:
    base = known["bases"].get(image)
    arguments = {"BASE_IMAGE": _built(base, known)} if base else {}
    arguments |= known["build_args"]
    tag = f"pulumi-jupyterhub/{image}:{known['tags'][image]}"
    words = [
        word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")
    ]
    with step(f"Image {image}"):
        _docker("build", "--quiet", "-t", tag, *words, str(paths.ROOT / known["contexts"][image]))
    return tag


def _scan(tag: str) -> None:
    """Stops at a vulnerability that is critical and has a fix."""
    if not shutil.which("trivy"):
        raise Problem("trivy is not on this machine: https://trivy.dev, or SCAN= to go without")
    words = ["trivy", "image", "--quiet", "--severity", "CRITICAL", "--ignore-unfixed"]
    with step(f"Scan of {tag}") as current:
        if subprocess.run([*words, "--exit-code", "1", tag], check=False).returncode:
            raise Problem(f"{tag} has critical vulnerabilities that have a fix, see above.")
        current.result = "nothing critical that has a fix"


def _images() -> dict[str, dict[str, str]]:
    """What the components know of the images: tags, contexts, bases, build arguments."""
    command = [str(python_env.PYTHON), "-m", "components.images"]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem(done.stderr.strip())
    return dict(json.loads(done.stdout))


def _digest(remote: str, name: str) -> str:
    found = json.loads(_docker("image", "inspect", "-f", "{{json .RepoDigests}}", remote))
    return next(str(each).split("@")[1] for each in found if str(each).startswith(f"{name}@"))


def _docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise Problem(f"docker {words[0]} failed:\n{said}")
    return done.stdout.strip()


def _write(reference: str, out: str) -> None:
    print(reference)
    if out:
        Path(out).write_text(f"{reference}\n")
