"""Who tells Pulumi to ignore protection loses no data: on Docker for real, in clouds on a stand-in.

`--ignore-protect` came with Pulumi 3.256. Any option of Pulumi's can stand in the shell, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import ENGINE, ROOT
from toolchain.plugins.cloud_standin import CLOUD
from toolchain.plugins.cloud_standin.cloud import FakeCloud
from toolchain.setup import pulumi_cli
from toolchain.stacks import state as states

PROGRAM = """
import pulumi
from components import DockerHost, DockerHostArgs, SharedVolume, SharedVolumeArgs, Site, SiteArgs

config = pulumi.Config()
protect = config.require_bool("protect")
here = DockerHost.connect("tprotection", DockerHostArgs())
site = Site.connect("aws", "tprotection", SiteArgs(zone="eu-central-1a"))
if config.require_bool("keep"):
    SharedVolume("homes", SharedVolumeArgs(protect=protect), here)
    SharedVolume("data", SharedVolumeArgs(kind="block", size=50, protect=protect), site)
"""
IGNORE = "PULUMI_OPTION_IGNORE_PROTECT"
VOLUME = "tprotection-homes"


class Program:
    """A small program with the library's volumes, its state, and a cloud in a file."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "program"
        self.root.mkdir()
        (self.root / ".venv").symlink_to(ROOT / ".venv")
        (self.root / "Pulumi.yaml").write_text("name: tprotection\nruntime: {name: python}\n")
        (self.root / "__main__.py").write_text(PROGRAM)
        (folder / "state").mkdir()
        self.cloud = FakeCloud(folder / "cloud")
        own = [ROOT / "toolchain/plugins/bin" / kind for kind in ("docker", "language")]
        own.append(ROOT / "toolchain/plugins/cloud_standin/bin")
        found = pulumi_cli.find()
        assert found, "the suite sets Pulumi up"
        self.environment = os.environ | {
            "PATH": ":".join([*map(str, own), str(found.program.parent), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "a test's",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            CLOUD: str(folder / "cloud"),
        }
        self.environment.pop(IGNORE, None)
        self.environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
        self.pulumi("stack", "init")
        self.salt = (self.root / "Pulumi.try.yaml").read_text()

    def pulumi(self, *words: str, check: bool = True, given: str = "", **shell: str) -> str:
        done = subprocess.run(
            ["pulumi", *words, "--stack", "try", "--non-interactive"],
            cwd=self.root,
            env=self.environment | shell,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout if check else done.stdout + done.stderr
        assert (done.returncode == 0) is check, done.stdout + done.stderr
        return said

    def up(self, protect: bool = True) -> None:
        self.configure(protect=protect, keep=True)
        self.pulumi("up", "--yes", "--skip-preview")

    def configure(self, **values: bool) -> None:
        lines = [f"  tprotection:{name}: {str(value).lower()}" for name, value in values.items()]
        (self.root / "Pulumi.try.yaml").write_text("\n".join([self.salt, "config:", *lines]))

    def destroy(self, *words: str, check: bool = True, **shell: str) -> str:
        return self.pulumi("destroy", "--yes", "--skip-preview", *words, check=check, **shell)

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads(self.pulumi("stack", "export")))

    @property
    def disks(self) -> set[str]:
        """Ids of what is in the cloud."""
        return set(self.cloud.resources)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    yield Program(tmp_path_factory.mktemp("protection"))
    for volume in ENGINE.volumes.list(filters={"name": VOLUME}):
        volume.remove()


@pytest.fixture
def program(made: Program) -> Program:
    """Both volumes are there, protected, and data is in Docker's."""
    made.up()
    assert len(made.disks) == 1
    put = ["sh", "-c", "echo thesis > /data/thesis"]
    data = {VOLUME: {"bind": "/data"}}
    ENGINE.containers.run("debian:bookworm-slim", put, volumes=data, remove=True)
    return made


def thesis() -> bytes:
    data = {VOLUME: {"bind": "/data"}}
    read = ["cat", "/data/thesis"]
    return bytes(ENGINE.containers.run("debian:bookworm-slim", read, volumes=data, remove=True))


def test_a_preview_that_ignores_protection_is_red(program: Program) -> None:
    program.configure(protect=True, keep=False)
    plan = program.pulumi("preview", "--json", "--ignore-protect")
    report = subprocess.run(
        [sys.executable, "-m", "components", "preview-report"],
        cwd=ROOT,
        input=plan,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.returncode == 3, report.stdout
    for name in ("homes", "data"):
        said = f"`{name}` is deleted: the program no longer has it. What is in it stays"
        assert said in report.stdout


def test_a_destroy_that_ignores_protection_leaves_all_data(program: Program) -> None:
    disks = program.disks
    assert "[retain]" in program.destroy(**{IGNORE: "true"})
    assert states.volumes(program.state) == []  # the stack has forgotten it
    assert thesis() == b"thesis\n"
    assert program.disks == disks
    program.cloud.edit(lambda known: known.update(resources={}))  # an `up` can't find this one
    program.up()
    assert states.volumes(program.state) == [VOLUME]  # but Docker's, by its name
    assert thesis() == b"thesis\n"


def test_what_is_no_longer_protected_is_deleted(program: Program) -> None:
    program.up(protect=False)
    program.destroy()
    assert not program.disks
    assert thesis() == b"thesis\n"  # a Docker volume goes by `make purge` only


def test_what_a_purge_releases_is_deleted(program: Program) -> None:
    program.pulumi("stack", "import", given=json.dumps(states.released(program.state)))
    program.destroy()
    assert not program.disks
    assert VOLUME not in {volume.name for volume in ENGINE.volumes.list()}
