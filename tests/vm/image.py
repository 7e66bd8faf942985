"""What a machine boots from: Debian 12 out of packages, as a cloud's image has it, made once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.vm import egress
from toolchain import paths
from toolchain.steps import Problem, apt_install, is_root, lock, run

PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "genisoimage": "genisoimage",
    "debootstrap": "debootstrap",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "mke2fs": "e2fsprogs",
    "ssh": "openssh-client",
    "unshare": "util-linux",
    "setpriv": "util-linux",
}
_PACKAGES = (
    "linux-image-cloud-amd64 systemd-sysv udev dbus kmod iproute2 ifupdown isc-dhcp-client "
    "cloud-init openssh-server sudo ca-certificates curl procps locales python3 gzip"
)
_SETUP = """
set -eu
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
apt-get update
apt-get install -y --no-install-recommends "$@"
apt-get clean
rm -rf /var/lib/apt/lists/*
printf '%s\\n' 'auto lo' 'iface lo inet loopback' 'source /etc/network/interfaces.d/*' \
    > /etc/network/interfaces
echo 'LABEL=root / ext4 defaults 0 1' > /etc/fstab
rm -f /etc/ssh/ssh_host_* /usr/sbin/policy-rc.d /etc/resolv.conf
: > /etc/machine-id
"""
_ROOT_SIZE = "12G"  # of a sparse file
# Mounts and processes of its own: both are gone when the build is killed.
_APART = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]


def missing_packages() -> list[str]:
    """What the computer that runs the tests lacks."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

    def is_there(name: str) -> bool:
        return Path(name).exists() if name.startswith("/") else bool(shutil.which(name, path=path))

    return sorted({package for name, package in PROGRAMS.items() if not is_there(name)})


def base_image(preinstalled: Iterable[str] = ()) -> Path:
    """The folder with root.img, vmlinuz and initrd.img, made once for each set of packages.

    `preinstalled` are packages that a test doesn't want to wait for: without hardware support
    their installation takes minutes. It is made anew when this computer's way to its package
    mirror changes.
    """
    if missing := missing_packages():
        apt_install(*missing)
    packages = [*_PACKAGES.split(), *sorted(set(preinstalled))]
    target = paths.cache() / "vm" / _recipe(packages)
    with lock("vm-base"):
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent) as folder:
                _make(Path(folder), packages)
                Path(folder, "made").rename(target)
    return target


def _recipe(packages: list[str]) -> str:
    """A name for all that an image depends on."""
    parts = [*packages, _SETUP, _ROOT_SIZE, egress.RELEASE]
    parts += [f"{p}:{hashlib.sha256(c).hexdigest()}" for p, c in egress.files(inside=True).items()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _make(folder: Path, packages: list[str]) -> None:
    if not is_root():
        raise Problem("Only root can make the machine's file system from packages.")
    root, made = folder / "root", folder / "made"
    made.mkdir()
    _bootstrap(root)
    _write(root, egress.files(inside=False))
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    words = [*_APART, f"--mount-proc={root}/proc", "chroot", root, "sh", "-c", _SETUP, "setup"]
    run([*words, *packages], "packages for the machine")
    later = egress.files(inside=True)
    later.pop(egress.BUNDLE, None)  # the machine's own by now
    _write(root, later)
    for name in ("vmlinuz", "initrd.img"):  # links that are absolute inside the machine
        shutil.copy(root / str((root / name).readlink()).lstrip("/"), made / name)
    image = made / "root.img"
    words = ["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", root, image, _ROOT_SIZE]
    run(words, "disk of the machine")


def _bootstrap(root: Path) -> None:
    """The smallest Debian; without a mirror that is known here debootstrap takes its own."""
    lines = [line.split() for line in egress.mirrors()]
    mirror = [address for _, address, suite, _ in lines if suite == egress.RELEASE][:1]
    words = ["debootstrap", "--variant=minbase", egress.RELEASE, str(root), *mirror]
    run([*_APART, *words], "debootstrap for the machine")


def _write(root: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
