"""A real machine in QEMU, by KVM where it can be had: Debian 12 as a cloud boots it.

Its root file system is made from packages (debootstrap) with a cloud kernel, cloud-init and sshd,
and nothing of ours; user data reaches it as a cloud's does, here by a NoCloud disk. QEMU gives it
kernel and initrd, so it makes no initrd of its own: that takes minutes in emulation.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.setup import paths
from toolchain.setup.steps import apt_install, lock, run

PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "genisoimage": "genisoimage",
    "debootstrap": "debootstrap",
    "mke2fs": "e2fsprogs",
}
IMAGES = "images"  # label of a disk that has them already, where Docker keeps them
_PACKAGES = (
    "linux-image-cloud-amd64 systemd-sysv udev dbus kmod iproute2 ifupdown isc-dhcp-client "
    "cloud-init openssh-server sudo ca-certificates curl procps locales"
)
_SETUP = f"""
set -eu
mount -t proc proc /proc
trap 'umount /proc' EXIT
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
for suite in bookworm bookworm-updates; do
    echo "deb http://deb.debian.org/debian $suite main"
done > /etc/apt/sources.list
echo 'deb http://deb.debian.org/debian-security bookworm-security main' >> /etc/apt/sources.list
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {_PACKAGES}
apt-get clean
printf '%s\\n' 'auto lo' 'iface lo inet loopback' 'source /etc/network/interfaces.d/*' \
    > /etc/network/interfaces
echo 'LABEL=root / ext4 defaults 0 1' > /etc/fstab
echo 'LABEL={IMAGES} /var/lib/docker ext4 nofail,x-systemd.device-timeout=5s 0 2' >> /etc/fstab
sed -i s/=yes/=no/ /etc/initramfs-tools/update-initramfs.conf
rm -f /etc/ssh/ssh_host_* /usr/sbin/policy-rc.d /etc/resolv.conf
: > /etc/machine-id
"""
_ROOT_SIZE = "12G"
# Without one register that Debian 12's QEMU can't set under every nested KVM, and ends over it.
_KVM = ("-accel", "kvm", "-cpu", "max,-arch-capabilities", "-smp", "2")
# Without instructions that take longer in emulation than what programs do without them: SHA-256 is
# half as fast with them. And with one CPU: two emulated ones wait for each other for good when
# Linux changes its own code, once in a few runs.
_EMULATION = ("-accel", "tcg,tb-size=512", "-cpu", "max,-avx,-avx2,-fma", "-smp", "1")
_STARTED, _WITHIN = b"Run /init as init process", 20  # seconds


@functools.cache
def acceleration() -> tuple[str, ...]:
    """QEMU's words for KVM where a kernel starts with it.

    Where a cloud has no nested one, the device may be there all the same: slower than emulation,
    or without instructions that Linux needs.
    """
    base = base_image()
    with tempfile.TemporaryDirectory() as folder:
        console = Path(folder) / "console.log"
        words = ["qemu-system-x86_64", *_KVM, "-display", "none", "-no-user-config", "-net", "none"]
        words += ["-m", "1G", "-serial", f"file:{console}", "-append", "console=ttyS0"]
        words += ["-kernel", str(base / "vmlinuz"), "-initrd", str(base / "initrd.img")]
        tried = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _WITHIN
        while tried.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
            if console.exists() and _STARTED in console.read_bytes():
                break
        tried.kill()
        tried.wait()
        started = console.exists() and _STARTED in console.read_bytes()
    return _KVM if started else _EMULATION


def missing_packages() -> list[str]:
    """What the computer that runs the tests lacks."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [
        package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)
    ]


def base_image() -> Path:
    """The folder with root.img, vmlinuz and initrd.img, made once."""
    if missing := missing_packages():
        apt_install(*missing)
    recipe = hashlib.sha256(f"{_PACKAGES}{_SETUP}{_ROOT_SIZE}".encode()).hexdigest()[:12]
    target = paths.cache() / "vm" / recipe
    with lock("vm-base"):
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent) as folder:
                _make(Path(folder))
                Path(folder, "made").rename(target)
    return target


def _make(folder: Path) -> None:
    root, made = folder / "root", folder / "made"
    made.mkdir()
    run(["debootstrap", "--variant=minbase", "bookworm", str(root)], "debootstrap for the machine")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    run(["chroot", root, "sh", "-c", _SETUP], "packages for the machine")
    for name in ("vmlinuz", "initrd.img"):  # links that are absolute inside the machine
        shutil.copy(root / str((root / name).readlink()).lstrip("/"), made / name)
    image = made / "root.img"
    words = ["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", root, image, _ROOT_SIZE]
    run(words, "disk of the machine")


@dataclass(frozen=True)
class Disk:
    """A disk that outlives the machine: seen as /dev/disk/by-id/virtio-<serial>."""

    path: Path
    serial: str

    def grow(self, gigabytes: int) -> None:
        """Makes the file this large; a new one is blank."""
        with self.path.open("ab") as file:
            file.truncate(gigabytes * 1024**3)


class Machine:
    """One machine; start it, power it off, start it again.

    `ports` of the machine are reached under the same numbers on 127.0.0.1, sshd under `ssh_port`.
    """

    def __init__(
        self,
        folder: Path,
        user_data: bytes,
        *,
        ssh_port: int,
        ports: Sequence[int] = (),
        disks: Sequence[Disk] = (),
        instance_id: str = "i-1",
        memory: str = "4G",
    ) -> None:
        self.folder, self.ssh_port, self.ports = folder, ssh_port, ports
        self.disks, self.memory = list(disks), memory
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.base = base_image()
        self._seed(user_data, instance_id)
        overlay = folder / "root.qcow2"
        backing = ["-b", str(self.base / "root.img"), "-F", "raw"]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, overlay], check=True)

    def _seed(self, user_data: bytes, instance_id: str) -> None:
        seed = self.folder / "seed"
        seed.mkdir(exist_ok=True)
        (seed / "user-data").write_bytes(user_data)
        (seed / "meta-data").write_text(f"instance-id: {instance_id}\nlocal-hostname: hub\n")
        files = [seed / "user-data", seed / "meta-data"]
        iso = ["-output", self.folder / "seed.iso", "-volid", "cidata", "-joliet", "-rock"]
        subprocess.run(["genisoimage", "-quiet", *iso, *files], check=True)

    def start(self) -> None:
        """Powers on; returns at once."""
        forward = f"hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22"
        forward += "".join(f",hostfwd=tcp:127.0.0.1:{port}-:{port}" for port in self.ports)
        words = ["qemu-system-x86_64", *acceleration(), "-m", self.memory]
        words += ["-display", "none", "-no-user-config"]
        words += ["-serial", f"file:{self.folder / 'console.log'}", "-monitor", "none"]
        words += ["-kernel", self.base / "vmlinuz", "-initrd", self.base / "initrd.img"]
        words += ["-append", "root=LABEL=root ro console=ttyS0 ds=nocloud"]
        words += ["-netdev", f"user,id=net,{forward}", "-device", "virtio-net-pci,netdev=net"]
        words += ["-device", "virtio-rng-pci"]
        words += self._drive("root.qcow2", "qcow2", "root") + self._drive("seed.iso", "raw", "seed")
        for disk in self.disks:
            words += self._drive(disk.path, "raw", disk.serial)
        log = (self.folder / "qemu.log").open("ab")
        self.process = subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

    def _drive(self, file: str | Path, form: str, serial: str) -> list[str]:
        # Write-back with flushes: what the machine has synced survives a kill.
        drive = f"file={self.folder / file},if=none,id=d-{serial},format={form},cache=writeback"
        return ["-drive", drive, "-device", f"virtio-blk-pci,drive=d-{serial},serial={serial}"]

    def kill(self) -> None:
        """The power is cut."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
        if self.process:
            self.process.wait(60)
        self.process = None

    def wait_until_off(self, within: float = 240) -> None:
        """Waits for a machine that was told to power off."""
        assert self.process
        self.process.wait(within)
        self.process = None

    def console(self) -> str:
        """What it printed since it was made."""
        return (self.folder / "console.log").read_text(errors="replace")
