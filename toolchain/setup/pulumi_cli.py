"""The Pulumi program: the user's own, the vendor's, or built from published Go modules."""

from __future__ import annotations

import functools
import http.client
import os
import platform
import re
import shutil
import subprocess
import tarfile
import urllib.request
import zlib
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from . import go, paths, programs, provider_plugins
from .steps import Step, lock, step

VERSION = "3.276.0"  # the newest whose module is served; never older than the SDK
SDK = programs.pinned("pulumi", (paths.ROOT / "requirements.txt").read_text())[0]
_BIN = Path(__file__).parent.parent / "plugins" / "bin"


@dataclass(frozen=True)
class Pulumi:
    """Where the program is, and which of its parts come from this project."""

    program: Path
    own_language_host: bool
    own_docker_plugin: bool

    @property
    def path(self) -> list[str]:
        """Folders for PATH."""
        folders = [self.program.parent]
        folders += [_BIN / "language"] if self.own_language_host else []
        folders += [_BIN / "docker"] if self.own_docker_plugin else []
        folders += [_BIN / "kubernetes"] if self.own_kubernetes_plugin else []
        return [str(folder) for folder in folders]

    @property
    def own_kubernetes_plugin(self) -> bool:
        """Where the vendor has the engine fetch it, it isn't there before it is needed."""
        return self.own_language_host and not provider_plugins.is_installed("kubernetes")


def find() -> Pulumi | None:
    """What is there already."""
    for program in _candidates():
        if program.exists():
            own_docker_plugin = not provider_plugins.is_installed("docker")
            return Pulumi(program, not _has_language_host(program), own_docker_plugin)
    return None


def _has_language_host(program: Path) -> bool:
    """Whether the vendor's language host is where the engine looks for it."""
    folders = f"{program.parent}:{program.resolve().parent}:{os.environ.get('PATH', '')}"
    found = shutil.which("pulumi-language-python", path=folders)
    return bool(found) and not Path(str(found)).resolve().is_relative_to(_BIN)


def _candidates() -> list[Path]:
    own = shutil.which("pulumi")
    usable = [Path(own)] if own and _is_recent(own) else []
    return [*usable, _vendor_folder() / "pulumi", _built()]


@functools.cache
def _is_recent(program: str) -> bool:
    answer = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    match = re.fullmatch(r"v3\.(\d+)\..*", answer.stdout.strip())
    return bool(match and int(match[1]) >= int(SDK.split(".")[1]))


def _vendor_folder() -> Path:
    return paths.cache() / f"pulumi-{VERSION}" / "pulumi"


def _built() -> Path:
    return paths.cache() / f"pulumi-{VERSION}-built" / "pulumi"


def ensure(own_docker_plugin: Future[bool] | None = None) -> Pulumi:
    """Sets Pulumi up where it is missing.

    Args:
        own_docker_plugin: gets, as early as that is known, whether this project's plugin serves
            Docker; it is cancelled where that will never be known.
    """
    answer = own_docker_plugin or Future()
    try:
        with step("Pulumi") as current:
            if found := find():
                current.result = f"{found.program}, already there"
                if found.own_docker_plugin and not found.own_language_host:
                    provider_plugins.install(found.program, "docker")
            else:
                with lock("pulumi"):
                    if not find():
                        current.result = _set_up(current, answer)
        found = find()
        assert found is not None
        if not answer.done():
            answer.set_result(found.own_docker_plugin)
        return found
    finally:
        answer.cancel()


def _set_up(current: Step, own_docker_plugin: Future[bool]) -> str:
    if _download():
        provider_plugins.install(_vendor_folder() / "pulumi", "docker")
        return f"{VERSION}, the vendor's"
    current.note("the vendor can't be reached: building from Go modules (5 min)")
    own_docker_plugin.set_result(not provider_plugins.is_installed("docker"))
    _build()
    return f"{VERSION}, built from Go modules"


def _download() -> bool:
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    url = f"https://get.pulumi.com/releases/sdk/pulumi-v{VERSION}-linux-{machine}.tar.gz"
    target = _vendor_folder().parent
    partial = target.with_name(target.name + ".new")
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            shutil.rmtree(partial, ignore_errors=True)
            with tarfile.open(fileobj=answer, mode="r|gz") as archive:
                archive.extractall(partial, filter="data")
    except (OSError, EOFError, zlib.error, http.client.HTTPException, tarfile.TarError):
        return False
    partial.rename(target)
    return True


def _build() -> None:
    with go.workspace() as folder:
        # The module `pkg` names its sibling by `replace … => ../sdk`.
        for part in ("pkg", "sdk"):
            go.module(f"github.com/pulumi/pulumi/{part}/v3", VERSION, Path(folder) / part)
        variable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
        flags = f"-X {variable}=v{VERSION}"
        go.build(Path(folder) / "pkg", "./cmd/pulumi", flags, _built(), "building Pulumi")
