"""A bucket as a folder: a real FUSE mount by rclone, seen by containers without privileges.

rclone's `local` remote stands in for the object store, which can't be had here; what is tested is
the mount, its way into other containers, and its restart.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.checkout import ENGINE, Program
from tests.client import eventually

FOLDER = Path("/srv/buckets")
PROGRAM = """
import pulumi
from components import DockerHost, DockerHostArgs, ImageStore
from components.shared_volume.bucket import BucketMount
from components.shared_volume.made import Made

host = DockerHost.connect("tbucket", DockerHostArgs())
source = pulumi.Output.from_input(":local:/tmp/store")
made = Made(None, source, "bucket", source)
BucketMount("data-bucket", "data", made, host, ImageStore(host))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """The host's folder, shared as the root of a machine with systemd is."""
    if FOLDER.exists() and any(FOLDER.iterdir()):
        pytest.skip(f"{FOLDER} is in use on this machine")
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", FOLDER], check=True)
    subprocess.run(["mount", "--make-shared", FOLDER], check=True)
    yield FOLDER
    subprocess.run(["umount", "-R", "-l", FOLDER], check=True)
    FOLDER.rmdir()


@pytest.fixture
def user(folder: Path) -> Iterator[Container]:
    """What a user's container is: no root, no capabilities, the folder by propagation."""
    made = ENGINE.containers.run(
        "debian:bookworm-slim",
        ["sleep", "600"],
        detach=True,
        user="1000:100",
        cap_drop=["ALL"],
        volumes={str(folder): {"bind": "/cloud-storage", "mode": "rw,rslave"}},
    )
    yield made
    made.remove(force=True)


def says(user: Container, command: str) -> str:
    return str(user.exec_run(["sh", "-c", command]).output.decode().strip())


def test_a_bucket_reaches_users_who_run_already_and_survives_a_restart(
    user: Container, tmp_path: Path
) -> None:
    with Program(tmp_path, "bucket", PROGRAM).up():
        mounted = "grep -c ' /cloud-storage/data ' /proc/mounts"
        eventually("the mount", lambda: says(user, mounted) == "1", 30)
        file = "/cloud-storage/data/file"
        assert says(user, f"echo mine > {file}; cat {file}") == "mine"
        assert says(user, f"stat -c %u:%g {file}") == "1000:100"
        (mount,) = ENGINE.containers.list(filters={"name": "tbucket-bucket-data"})
        stored = ["cat", "/tmp/store/file"]
        eventually("it is stored", lambda: mount.exec_run(stored).output == b"mine\n", 30)
        assert not mount.attrs["HostConfig"]["Privileged"]
        mount.kill()
        mount.start()
        eventually("again", lambda: says(user, f"cat {file}") == "mine", 30)
