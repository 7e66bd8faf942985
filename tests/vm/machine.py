"""A real machine in QEMU, without hardware support: Debian 12 as a cloud boots it.

Its root file system is made from packages (image.py) with a cloud kernel, cloud-init and sshd, and
nothing of ours; user data reaches it as a cloud's does, here by a NoCloud disk. Software emulation
also runs where there is no /dev/kvm, as in most CI machines; it makes everything ten times slower.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.vm.image import base_image, missing_packages

__all__ = ["Disk", "Machine", "base_image", "missing_packages"]

_SERIAL = 20  # characters; virtio cuts the rest off
_SSH = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "no",  # each machine has made its own host key
    "UserKnownHostsFile": "/dev/null",
    "IdentitiesOnly": "yes",
    "LogLevel": "ERROR",
    "ConnectTimeout": "15",
    "ServerAliveInterval": "15",
}
# All clocks of the machine in one answer: uptime, its time of day, systemd's and cloud-init's.
_CLOCKS = """
cat /proc/uptime; date +%s.%N
systemctl show --property=UserspaceTimestampMonotonic,FinishTimestampMonotonic
cat /run/cloud-init/status.json
"""


@dataclass(frozen=True)
class Disk:
    """A disk that outlives the machine: seen as /dev/disk/by-id/virtio-<serial[:20]>."""

    path: Path
    serial: str

    def grow(self, gigabytes: int) -> None:
        """Makes the file this large; a new one is blank."""
        with self.path.open("ab") as file:
            file.truncate(gigabytes * 1024**3)


class Machine:
    """One machine; start it, power it off, start it again. In a `with` its power is cut at the end.

    `ports` of the machine are reached under the same numbers on 127.0.0.1, sshd under `ssh_port`,
    its port 80 under `http_port`. A new object begins with a new root disk, also in an old folder.
    """

    def __init__(
        self,
        folder: Path,
        user_data: bytes,
        *,
        ssh_port: int,
        http_port: int | None = None,
        ports: Sequence[int] = (),
        disks: Sequence[Disk] = (),
        instance_id: str = "i-1",
        hostname: str = "vm",
        memory: str = "4G",
        cpus: int = 2,
        base: Path | None = None,
    ) -> None:
        self.folder, self.ssh_port = folder, ssh_port
        self.forwarded = {ssh_port: 22} | {port: port for port in ports}
        if http_port:
            self.forwarded[http_port] = 80
        self.disks, self.memory, self.cpus = list(disks), memory, cpus
        self.process: subprocess.Popen[bytes] | None = None
        self._powered_on = 0.0
        self._login: list[str] = []
        self._answered = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "console.log").unlink(missing_ok=True)
        self.base = base or base_image()
        self._seed(user_data, instance_id, hostname)
        overlay = folder / "root.qcow2"
        backing = ["-b", str(self.base / "root.img"), "-F", "raw"]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, overlay], check=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _seed(self, user_data: bytes, instance_id: str, hostname: str) -> None:
        seed = self.folder / "seed"
        seed.mkdir(exist_ok=True)
        (seed / "user-data").write_bytes(user_data)
        about = f"instance-id: {instance_id}\nlocal-hostname: {hostname}\n"
        (seed / "meta-data").write_text(about)
        files = [seed / "user-data", seed / "meta-data"]
        iso = ["-output", self.folder / "seed.iso", "-volid", "cidata", "-joliet", "-rock"]
        subprocess.run(["genisoimage", "-quiet", *iso, *files], check=True)

    def start(self) -> None:
        """Powers on; returns at once. It ends with the thread that called this, at the latest."""
        assert not self.is_on(), "it is on"
        # A killed test run must not leave both cores busy.
        words = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", *self._hardware()]
        with (self.folder / "qemu.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._powered_on = time.monotonic()

    def _hardware(self) -> list[str | Path]:
        console = f"file,id=console,path={self.folder / 'console.log'},append=on"
        forward = "".join(f",hostfwd=tcp:127.0.0.1:{p}-:{q}" for p, q in self.forwarded.items())
        words: list[str | Path] = ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"]
        words += ["-smp", str(self.cpus), "-m", self.memory, "-display", "none", "-no-user-config"]
        words += ["-chardev", console, "-serial", "chardev:console", "-monitor", "none"]
        words += ["-kernel", self.base / "vmlinuz", "-initrd", self.base / "initrd.img"]
        words += ["-append", "root=LABEL=root ro console=ttyS0 ds=nocloud"]
        words += ["-netdev", f"user,id=net{forward}", "-device", "virtio-net-pci,netdev=net"]
        words += ["-device", "virtio-rng-pci"]
        drives = [("root.qcow2", "qcow2", "root"), ("seed.iso", "raw", "seed")]
        drives += [(str(disk.path), "raw", disk.serial) for disk in self.disks]
        for number, (file, form, serial) in enumerate(drives):
            # Write-back with flushes: what the machine has synced survives a kill.
            drive = f"file={self.folder / file},if=none,id=drive{number},format={form}"
            device = f"virtio-blk-pci,drive=drive{number},serial={serial[:_SERIAL]}"
            words += ["-drive", f"{drive},cache=writeback", "-device", device]
        return words

    def is_on(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_ssh(self, key: Path, user: str, within: float = 300) -> None:
        """Waits until this user can log in; `ssh` goes on as this user."""
        words = [word for name, value in _SSH.items() for word in ("-o", f"{name}={value}")]
        self._login = ["ssh", "-i", str(key), *words, "-p", str(self.ssh_port), f"{user}@127.0.0.1"]
        self._wait("ssh", lambda: self.ssh("true", check=False, timeout=60).returncode == 0, within)
        self._answered = time.monotonic() - self._powered_on

    def ssh(
        self,
        command: str,
        check: bool = True,
        stdin: bytes | None = None,
        timeout: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command on it, once `wait_ssh` has been called."""
        assert self._login, "wait_ssh says with which key and as whom"
        done = subprocess.run(
            [*self._login, command],
            input=stdin or b"",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{out}{err}"
        return subprocess.CompletedProcess(command, done.returncode, out, err)

    def reboot(self, within: float = 300) -> None:
        """Reboots it in good order, and waits until the same user can log in again."""
        boot = "cat /proc/sys/kernel/random/boot_id"
        before = self.ssh(boot).stdout
        self._ask_systemd("reboot")

        def is_new() -> bool:
            answer = self.ssh(boot, check=False, timeout=60)
            return answer.returncode == 0 and answer.stdout != before

        self._wait("reboot", is_new, within)
        self._answered = time.monotonic() - self._powered_on

    def power_off(self, within: float = 240) -> None:
        """Powers it off in good order."""
        self._ask_systemd("poweroff")
        self.wait_until_off(within)

    def _ask_systemd(self, verb: str) -> None:
        done = self.ssh(f"sudo systemctl --no-block {verb}", check=False)
        # 255 is ssh's own: the connection may be gone before the answer.
        assert done.returncode in (0, 255), done.stderr
        self._powered_on = time.monotonic()

    def kill(self) -> None:
        """The power is cut."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.wait_until_off(60)

    def wait_until_off(self, within: float = 240) -> None:
        """Waits for a machine that was told to power off."""
        if self.process:
            self.process.wait(within)
        self.process = None

    def console(self) -> str:
        """What it printed since it was made, over all boots."""
        file = self.folder / "console.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def timings(self) -> dict[str, float]:
        """Seconds from power on, or from the reboot, to each stage that was reached."""
        uptime, now, userspace, finished, *status = self.ssh(_CLOCKS).stdout.splitlines()
        up = float(uptime.split()[0])
        kernel = time.monotonic() - self._powered_on - up
        stages = {"kernel": 0.0}
        for name, line in (("userspace", userspace), ("boot finished", finished)):
            stages[name] = int(line.partition("=")[2]) / 1e6
        # cloud-init has times of day; the machine's own clock says how long ago they are.
        booted = float(now) - up
        for name, moment in _cloud_init(json.loads("".join(status))["v1"]).items():
            stages[name] = moment - booted
        found = {name: kernel + s for name, s in stages.items() if s or name == "kernel"}
        found["ssh"] = self._answered
        return {name: round(s, 1) for name, s in sorted(found.items(), key=lambda item: item[1])}

    def _wait(self, what: str, is_done: Callable[[], bool], within: float) -> None:
        until = time.monotonic() + within
        while True:
            end = self.console()[-2000:]
            assert self.is_on(), f"{what}: it is off\n{self._complaints()}\n{end}"
            try:
                if is_done():
                    return
            except subprocess.TimeoutExpired:
                pass
            assert time.monotonic() < until, f"{what}: not within {within:.0f} s\n{end}"
            time.sleep(1)

    def _complaints(self) -> str:
        return (self.folder / "qemu.log").read_text(errors="replace")[-2000:]


def _cloud_init(status: dict[str, dict[str, float | None]]) -> dict[str, float]:
    """Begin and end of each of cloud-init's stages that has one, as times of day."""
    found = {
        "cloud-init start": status["init-local"]["start"],
        "cloud-init network": status["init"]["start"],
        "cloud-init config": status["modules-config"]["start"],
        "cloud-init final": status["modules-final"]["start"],
        "cloud-init done": status["modules-final"]["finished"],
    }
    return {name: moment for name, moment in found.items() if moment}
