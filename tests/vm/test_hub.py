"""A hub on a real machine: booted with a cloud's user data, prepared by it, reached by ssh.

The tests of this module go on where the one before ended: booting takes minutes without hardware
support. What is measured goes to tests/artefacts/vm.json.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker.models.images import Image

from components.machine import gate
from tests.checkout import ENGINE, ROOT, Checkout, running
from tests.client import User, eventually, logged_in
from tests.unit import test_cloud
from tests.vm.images import disk_with
from tests.vm.machine import Disk, Machine
from toolchain.setup.base_images import TRAEFIK

SSH, HTTP, HTTPS = 8222, 8480, 8481
URL = f"https://127.0.0.1:{HTTPS}"
SERIAL = "data-id"  # of the volume, as the rendered user data expects it
WITHIN = 1500  # seconds; software emulation


class Surroundings:
    """What outlives a machine: its data disk, the checkout, the key, the clock."""

    def __init__(self, folder: Path, user_data: bytes, images: list[str]) -> None:
        self.folder, self.user_data = folder, user_data
        self.disk = Disk(folder / "data.img", SERIAL)
        self.disk.grow(4)
        self.images = disk_with(images, folder)
        self.key = folder / "key"
        self.key.write_text(test_cloud.KEY)
        self.key.chmod(0o600)
        self.measured: dict[str, float] = {}
        self.machine: Machine | None = None

    def new_machine(self, name: str) -> Machine:
        self.machine = Machine(
            self.folder / name,
            self.user_data,
            ssh_port=SSH,
            ports=[HTTP, HTTPS],
            disks=[self.disk, self.images],
            instance_id=name,
        )
        return self.machine

    @property
    def host(self) -> gate.Host:
        options = ["-i", str(self.key), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]
        options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=15"]
        return gate.Host("hubadmin", "127.0.0.1", SSH, [*options, "-o", "IdentitiesOnly=yes"])

    def timed(self, what: str, work: Callable[[], object]) -> None:
        begun = time.monotonic()
        work()
        self.measured[what] = round(time.monotonic() - begun, 1)
        artefacts = ROOT / "tests/artefacts"
        artefacts.mkdir(exist_ok=True)
        (artefacts / "vm.json").write_text(json.dumps(self.measured, indent=1))

    def boot(self, machine: Machine) -> None:
        machine.start()
        said: list[str] = []
        desired = self._desired()
        gate.converge(self.host, desired, WITHIN, said.append)
        steps = self.host.run("cat /run/pulumi-jupyterhub/steps").stdout
        assert steps.count("converging") == 1, f"not cloud-init alone:\n{steps}{said}"
        for line in steps.splitlines():
            seconds, what = line.split(" s: ", 1)
            self.measured[f"  second {seconds} after power on: {what[:60]}"] = float(seconds)

    def _desired(self) -> str:
        recorder, _ = test_cloud.minimal("openstack")
        return str(recorder.inputs["pulumi:index:Stash", "vm-ready"]["input"]["desired"])


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the hub needs, built on the engine here."""
    hub = {"images": [{"title": "Python", "source": {"build": "images/notebook"}}]}
    with running(tmp_path_factory.mktemp("images"), "tvmimages", 12, {"hub": hub}) as local:
        own = local.container("hub").image
    notebooks = ENGINE.images.list("pulumi-jupyterhub/notebook")
    newest = max(notebooks, key=lambda image: str(image.attrs["Created"]))
    return [_name(own), _name(newest), TRAEFIK]


def _name(image: Image) -> str:
    """What a stack calls it; tests of publishing leave other names."""
    return next(str(tag) for tag in image.tags if tag.startswith("pulumi-jupyterhub/"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, images: list[str]) -> Iterator[Surroundings]:
    folder = tmp_path_factory.mktemp("vm")
    with pytest.MonkeyPatch.context() as patch:
        test_cloud.surround(patch, folder)
        recorder, _ = test_cloud.minimal("openstack")
    inputs, _ = recorder.one(test_cloud.VM["openstack"])
    made = Surroundings(folder, base64.b64decode(inputs["userData"]), images)
    yield made
    if made.machine:
        made.machine.kill()


@pytest.fixture(scope="module")
def hub(
    world: Surroundings, images: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Checkout:
    checkout = Checkout(tmp_path_factory.mktemp("hub"), "tvm", 13, {})
    checkout.file.unlink()
    own, notebook, _ = images
    checkout.configure(
        platform="host",
        host={
            "address": "127.0.0.1",
            "ssh": {"port": SSH, "key_file": str(world.key)},
            "data_disk": f"/dev/disk/by-id/virtio-{SERIAL}",
            "ready_within": WITHIN,
        },
        dns={"kind": "none"},
        proxy={"http_port": HTTP, "https_port": HTTPS, "tls": {"kind": "self_signed"}},
        hub={
            "login": {"users": ["anna", "ben", "teacher"]},
            "files": {"disk_quota": "300M"},
            "image": {"reference": own},
            "images": [
                {"title": "Python", "source": {"reference": notebook}, "memory_limit": "1G"}
            ],
            "memory_reserve": "512M",
            "start_timeout": 600,
        },
    )
    return checkout


def anna(hub: Checkout, name: str = "anna") -> User:
    """Logged in with her first password, as the roster prints it; or somebody else with theirs."""
    printed = hub.make("roster")
    words = next(line.split() for line in printed.splitlines() if line.split()[:1] == [name])
    return logged_in(URL, name, words[1], verify=False)


def up(hub: Checkout) -> None:
    """`make up`, which goes on where the hub of an emulated machine was healthy too late."""
    try:
        hub.make("up", timeout=WITHIN)
    except AssertionError as error:
        if "is not healthy after" not in str(error):
            raise
        hub.make("up", timeout=WITHIN)


def write(user: User, file: str, megabytes: int) -> str:
    """Writes a file in the user's home; `ok`, or what the system says, and how much there is."""
    code = f"""
import os
try:
    with open({file!r}, "wb", buffering=0) as file:
        for _ in range({megabytes}):
            file.write(bytes(10**6))
        os.fsync(file.fileno())
    print("ok")
except OSError as error:
    print(error.strerror)
"""
    return user.run(code)


@pytest.mark.timeout(3600)
def test_cloud_init_alone_makes_it_ready(world: Surroundings) -> None:
    machine = world.new_machine("first")
    world.timed("power on to ready", lambda: world.boot(machine))
    found = world.host.run("findmnt -no SOURCE,FSTYPE,OPTIONS /srv/data; ls /srv/data").stdout
    assert "xfs" in found and "nosuid" in found and "prjquota" in found
    assert found.split()[-5:] == ["certificates", "homes", "shared", "state", "uploads"]
    rules = world.host.run("sudo nft list table inet jh_metadata").stdout
    assert "169.254.0.0/16 drop" in rules
    assert "th dport 2049 drop" in rules
    document = "sudo zcat -f /var/lib/cloud/instance/user-data.txt"
    assert "PRIVATE" not in world.host.run(document).stdout


@pytest.mark.timeout(3600)
def test_the_same_commands_make_a_hub_on_it(world: Surroundings, hub: Checkout) -> None:
    world.timed("make up", lambda: up(hub))
    user = anna(hub)
    world.timed("first notebook", lambda: user.start(within=600))
    assert user.run("open('kept', 'w').write('on the disk'); print(6 * 7)") == "42"
    world.timed("second make up", lambda: up(hub))


@pytest.mark.timeout(3600)
def test_a_full_quota_is_its_users_own(world: Surroundings, hub: Checkout) -> None:
    user, ben = anna(hub), anna(hub, "ben")
    user.start(within=600)
    ben.start(within=600)
    full = "No space left on device"
    size = "import os; s = os.statvfs('.'); print(s.f_blocks * s.f_frsize)"
    assert abs(int(user.run(size)) - 300_000_000) < 10_000  # what JupyterLab shows as the disk
    assert write(user, "shared/anna/part", 100) == "ok"
    assert write(user, "big", 300) == full
    assert write(user, "shared/anna/more", 10) == full  # the same disk by another way
    assert write(ben, "big", 50) == "ok"
    # The hub is replaced, and the limit with it: the smaller one holds from the next start on.
    hub.configure(hub={"files": {"disk_quota": "260M"}})
    world.timed("make up with another quota", lambda: up(hub))
    assert write(user, "more", 1) == full
    user.stop()
    user.start(within=600)  # with a full home
    assert user.run("import os; print(os.path.getsize('big') > 10**8)") == "True"
    user.run("import os; os.remove('big'); os.remove('shared/anna/part')")
    assert write(user, "big", 200) == "ok"
    assert write(user, "more", 100) == full
    user.run("import os; os.remove('big'); os.remove('more')")
    ben.stop()


@pytest.mark.timeout(3600)
def test_it_comes_back_from_a_power_cut(world: Surroundings, hub: Checkout) -> None:
    assert world.machine
    world.host.run("sync")
    world.machine.kill()

    def back() -> None:
        world.machine.start()  # type: ignore[union-attr]
        eventually("the hub", lambda: _answers(hub), 600)

    world.timed("power on to hub, again", back)
    user = anna(hub)
    user.start(within=600)
    assert user.run("print(open('kept').read())") == "on the disk"


def _answers(hub: Checkout) -> bool:
    return User(URL, "nobody", verify=False).session.get(f"{URL}/hub/health").status_code == 200


@pytest.mark.timeout(3600)
def test_without_its_disk_nothing_starts_on_an_empty_folder(world: Surroundings) -> None:
    assert world.machine
    world.host.run("sync")
    world.machine.kill()
    world.machine.disks = []
    world.machine.start()
    eventually("sshd", lambda: world.host.run("true").returncode == 0, 300)
    waiting = "grep -c 'waiting for the disk' /run/pulumi-jupyterhub/steps"
    eventually("it waits", lambda: world.host.run(waiting).returncode == 0, 300)
    assert world.host.run("systemctl is-active docker").stdout.strip() != "active"
    assert world.host.run("ls /srv/data").stdout == ""


@pytest.mark.timeout(3600)
def test_a_new_machine_on_the_same_disk_has_everything(world: Surroundings, hub: Checkout) -> None:
    assert world.machine
    world.machine.kill()
    machine = world.new_machine("second")
    world.boot(machine)
    refused = hub.make("up", check=False)
    assert "forget its old host key: ssh-keygen -R 127.0.0.1 -f" in refused
    command = refused.split("host key: ")[1].splitlines()[0]
    subprocess.run(command.split(), check=True, capture_output=True)
    world.timed("make up on a new machine", lambda: up(hub))
    user = anna(hub)
    user.start(within=600)
    assert user.run("print(open('kept').read())") == "on the disk"
    hub.make("down", timeout=WITHIN)
    assert world.host.run("docker ps -aq").stdout == ""
    assert "kept" in world.host.run("sudo ls /srv/data/homes/anna").stdout
