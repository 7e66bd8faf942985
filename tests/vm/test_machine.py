"""The machine that the other tests of this folder trust: boots, disks, reboots, power cuts.

The tests go on where the one before ended: a boot takes a minute without hardware support.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.client import eventually
from tests.vm import egress
from tests.vm.machine import Disk, Machine, missing_packages

SSH, HTTP = 8223, 8482
SERIAL = "vol-0123456789abcdef-longer-than-virtio"
DEVICE = f"/dev/disk/by-id/virtio-{SERIAL[:20]}"
USER = "somebody"
BOOT = 400  # seconds, when the computer has other things to do as well


class Place:
    """What outlives a machine: its key and its data disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key = folder, folder / "key"
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)]
        subprocess.run(words, check=True)
        self.disk = Disk(folder / "data.img", SERIAL)
        self.disk.grow(1)
        self.machine: Machine | None = None

    def user_data(self) -> bytes:
        lines = ["#cloud-config", "users:", f"- name: {USER}", "  shell: /bin/bash"]
        lines += ["  sudo: ALL=(ALL) NOPASSWD:ALL", "  ssh_authorized_keys:"]
        lines += [f"  - {self.key.with_suffix('.pub').read_text().strip()}"]
        lines += ["write_files:", "- path: /srv/web/said", "  content: by user data"]
        return "\n".join([*lines, ""]).encode()

    def boot(self, name: str) -> Machine:
        self.machine = Machine(
            self.folder / name,
            self.user_data(),
            disks=[self.disk],
            ssh_port=SSH,
            http_port=HTTP,
            hostname=name,
            instance_id=f"i-{name}",
            memory="2G",
        )
        self.machine.start()
        self.machine.wait_ssh(self.key, USER, BOOT)
        self.machine.ssh("cloud-init status --wait")
        return self.machine


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("machine"))
    yield made
    if made.machine:
        made.machine.kill()


def test_user_data_reaches_it_and_its_stages_are_timed(place: Place) -> None:
    machine = place.boot("first")
    assert machine.ssh("cat /srv/web/said; hostname").stdout == "by user datafirst\n"
    assert machine.ssh("sudo cat /var/lib/cloud/instance/user-data.txt").stdout.encode() == (
        place.user_data()
    )
    stages = list(machine.timings())
    order = ["kernel", "userspace", "cloud-init start", "cloud-init final", "cloud-init done"]
    assert [stage for stage in stages if stage in order] == order
    assert 0 < machine.timings()["kernel"] < machine.timings()["ssh"] < BOOT
    assert "Linux version" in machine.console()
    assert missing_packages() == []


def test_it_is_like_a_new_machine_of_a_cloud(place: Place) -> None:
    machine = place.machine
    assert machine
    machine.ssh("sudo modprobe -a overlay br_netfilter nf_tables xfs veth bridge")
    absent = ("dockerd", "mkfs.xfs", "nft")
    assert machine.ssh(f"PATH=$PATH:/sbin:/usr/sbin which {' '.join(absent)} || true").stdout == ""
    assert "Package files" in machine.ssh("sudo apt-get update && apt-cache policy").stdout
    assert machine.ssh("apt-cache policy docker.io").stdout.count("Candidate: 2") == 1


def test_its_web_port_is_reached_from_here(place: Place) -> None:
    assert place.machine
    serve = "sudo systemd-run --quiet python3 -m http.server 80 --directory /srv/web"
    place.machine.ssh(serve)
    url = f"http://127.0.0.1:{HTTP}/said"

    def answers() -> bool:
        try:
            return requests.get(url, timeout=10).text == "by user data"
        except requests.ConnectionError:
            return False

    eventually("the web server", answers, 120)


def test_a_reboot_keeps_disks_and_files(place: Place) -> None:
    machine = place.machine
    assert machine
    assert machine.ssh(f"sudo blockdev --getsize64 {DEVICE}").stdout == f"{1024**3}\n"
    machine.ssh(f"sudo mkfs.ext4 -q {DEVICE} && sudo mount {DEVICE} /mnt")
    machine.ssh("sudo tee /mnt/kept; echo here > own", stdin=b"on the disk")
    boots = machine.console().count("Linux version")
    machine.reboot(BOOT)
    assert machine.console().count("Linux version") == boots + 1
    assert machine.ssh(f"sudo mount {DEVICE} /mnt; cat /mnt/kept own").stdout == "on the diskhere\n"


def test_after_a_power_cut_a_new_machine_finds_the_disk(place: Place) -> None:
    old = place.machine
    assert old
    old.ssh("sync")
    old.kill()
    assert not old.is_on()
    new = place.boot("second")
    assert new.ssh(f"sudo mount {DEVICE} /mnt; cat /mnt/kept").stdout == "on the disk"
    assert new.ssh("ls").stdout == ""
    assert new.ssh("hostname").stdout == "second\n"


def test_it_powers_off_in_good_order(place: Place) -> None:
    assert place.machine
    place.machine.power_off()
    assert not place.machine.is_on()
    assert "Power down" in place.machine.console()


def test_a_proxy_on_this_computer_is_another_computer_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://somebody:pass@localhost:3128")
    monkeypatch.setenv("NO_PROXY", "localhost.example")

    def settings(inside: bool) -> str:
        return egress.files(inside)["etc/apt/apt.conf.d/90site"].decode()

    assert 'Acquire::http::Proxy "http://somebody:pass@localhost:3128";' in settings(inside=False)
    assert 'Acquire::http::Proxy "http://somebody:pass@10.0.2.2:3128";' in settings(inside=True)
    assert "NO_PROXY=localhost.example\n" in egress.files(True)["etc/environment"].decode()


def test_authorities_of_this_site_are_the_machines_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.endswith(("_CA_BUNDLE", "CERT_FILE"))]:
        monkeypatch.delenv(name)
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("a certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert b"a certificate" in egress.files(inside=True).values()
