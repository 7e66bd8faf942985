"""What homes get of the host: CVMFS by propagation, and no quota where the disk has none.

CVMFS can't be had here. A file system mounted below a shared /cvmfs, as autofs mounts a repository
when somebody first looks, stands in for it; what is tested is its way into servers that run.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkout import Checkout, running
from tests.client import eventually
from tests.local.conftest import NOTEBOOK, student

CVMFS = Path("/cvmfs")


@pytest.fixture(scope="module")
def cvmfs() -> Iterator[Path]:
    """The host's folder, shared as the root of a machine with systemd is."""
    if CVMFS.exists():
        pytest.skip(f"{CVMFS} is there already: this machine may have a real one")
    CVMFS.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", CVMFS], check=True)
    subprocess.run(["mount", "--make-shared", CVMFS], check=True)
    yield CVMFS
    subprocess.run(["umount", "-R", "-l", CVMFS], check=True)
    CVMFS.rmdir()


@pytest.fixture(scope="module")
def hub(cvmfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    images = [{"title": "Python", "source": NOTEBOOK}]
    config = {"hub": {"images": images, "files": {"cvmfs": True}}}
    with running(tmp_path_factory.mktemp("cvmfs"), "tcvmfs", 19, config) as checkout:
        yield checkout


def test_a_repository_that_is_mounted_later_shows_up_to_read(hub: Checkout, cvmfs: Path) -> None:
    anna = student(hub, "anna")
    anna.start()
    repository = cvmfs / "atlas.cern.ch"
    repository.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", repository], check=True)
    (repository / "setup.sh").write_text("export ATLAS=1")
    file = f"/cvmfs/{repository.name}/setup.sh"
    code = f"import os; print(os.path.exists({file!r}) and open({file!r}).read())"
    eventually("it is there", lambda: anna.run(code) == "export ATLAS=1", 20)
    assert "Read-only file system" in anna.run("open('/cvmfs/mine', 'w')")
    assert "Permission denied" in anna.run(f"open({file!r}, 'a')")  # its own mount, root's file
    anna.stop()


def test_a_host_without_it_refuses_the_start_by_name(hub: Checkout, cvmfs: Path) -> None:
    ben = student(hub, "ben")
    subprocess.run(["umount", "-R", "-l", cvmfs], check=True)
    cvmfs.rmdir()
    try:
        page = ben.session.get(f"{hub.url}/hub/spawn").text
        assert "This machine has no /cvmfs" in page
        assert not cvmfs.exists(), "the engine made an empty one"
        assert "the host has no /cvmfs, and no server will start" in hub.make("preview")
    finally:
        cvmfs.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", cvmfs], check=True)
        subprocess.run(["mount", "--make-shared", cvmfs], check=True)


def test_a_quota_that_the_disk_can_not_hold_changes_nothing(hub: Checkout) -> None:
    kind = subprocess.run(
        ["findmnt", "-no", "FSTYPE,OPTIONS", "-T", "/var/lib/docker"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "prjquota" in kind:
        pytest.skip("Docker's disk has project quotas: nothing is to refuse")
    before = hub.ids()
    hub.configure(hub={"files": {"disk_quota": "1G"}})
    told = "hub.files.disk_quota: found 1000000000 bytes; allowed: nothing, where the data is not"
    for command in ("preview", "up"):
        printed = hub.make(command, check=False)
        assert told in printed
        assert f"is on {kind.split()[0]}" in printed
    assert hub.ids() == before
    # Where nobody could look before, the hub does when it starts.
    look = "from pathlib import Path; from hubkit import quota; quota.require([Path('/srv/homes')])"
    hubs = hub.container("hub")
    code, said = hubs.exec_run(["python3", "-c", look])
    assert code and b"homes is on a file system without project quotas" in said
    hub.configure(hub={"files": {"cvmfs": True}})
