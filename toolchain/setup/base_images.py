"""The images that everything is made from: pulled, or made from packages where that can't be."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from . import go, paths
from .engine import Engine
from .steps import Problem, apt_install, is_root, lock, run, step

DEBIAN = "debian:bookworm-slim"
TRAEFIK_VERSION = "3.6.0"
TRAEFIK = f"traefik:v{TRAEFIK_VERSION}"
# As in the image of the same name: with security updates, without what apt can fetch again.
_SOURCES = (
    "http://deb.debian.org/debian bookworm",
    "http://deb.debian.org/debian bookworm-updates",
    "http://deb.debian.org/debian-security bookworm-security",
)
_UNNEEDED = ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_*", "usr/share/man/*")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def ensure(engine: Engine) -> None:
    """Brings the base images onto the engine."""
    for reference, make, how in (
        (DEBIAN, _debian, "made from Debian's packages"),
        (TRAEFIK, _traefik, "built from Go modules"),
    ):
        with step(f"Image {reference}") as current:
            if engine.has_image(reference):
                current.result = "already there"
                continue
            with lock(reference.replace(":", "-")):
                if engine.has_image(reference):
                    current.result = "already there"
                elif engine.pull(reference):
                    current.result = "pulled"
                else:
                    current.note("its registry can't be reached: making it from packages")
                    make(engine)
                    current.result = how


_AS_ROOT = (
    "sudo sh -c 'apt-get update && apt-get install -y debootstrap debian-archive-keyring && "
    "d=$(mktemp -d) && debootstrap --variant=minbase bookworm $d && "
    f"tar -C $d -c . | docker import - {DEBIAN} && rm -r $d'"
)


def _debian(engine: Engine) -> None:
    if not is_root():
        raise Problem(
            f"{DEBIAN} can't be pulled, and only root can make it from packages. Run this once, "
            f"then run make again:\n  {_AS_ROOT}"
        )
    if not Path("/usr/sbin/debootstrap").exists():
        apt_install("debootstrap", "debian-archive-keyring")
    with tempfile.TemporaryDirectory(dir=paths.cache()) as folder:
        command = ["/usr/sbin/debootstrap", "--variant=minbase", "bookworm", folder]
        run(command, "debootstrap")
        sources = Path(folder) / "etc" / "apt" / "sources.list"
        sources.write_text("".join(f"deb {source} main\n" for source in _SOURCES))
        unneeded = [f"--exclude=./{path}" for path in _UNNEEDED]
        tar = subprocess.Popen(["tar", "-C", folder, *unneeded, "-c", "."], stdout=subprocess.PIPE)
        assert tar.stdout is not None
        engine.import_image(tar.stdout, DEBIAN, 'CMD ["bash"]')
        if tar.wait():
            engine.remove("images", DEBIAN)
            raise Problem(f"{DEBIAN} could not be packed: is the disk of {folder} full?")


def _traefik(engine: Engine) -> None:
    program = paths.cache() / f"traefik-{TRAEFIK_VERSION}" / "traefik"
    if not program.exists():
        with go.workspace() as folder:
            source = Path(folder) / "traefik"
            go.module("github.com/traefik/traefik/v3", TRAEFIK_VERSION, source)
            page = source / "webui" / "static" / "index.html"  # the module comes without its pages
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text("The dashboard is not part of this build.\n")
            version = "github.com/traefik/traefik/v3/pkg/version.Version"
            flags = f"-X {version}={TRAEFIK_VERSION}"
            go.build(source, "./cmd/traefik", flags, program, "building Traefik", cgo=False)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(program, "traefik")
        if _CERTIFICATES.exists():
            tar.add(_CERTIFICATES, "etc/ssl/certs/ca-certificates.crt")
    archive.seek(0)
    engine.import_image(archive, TRAEFIK, 'ENTRYPOINT ["/traefik"]')
