"""A disk with images on it, as Docker keeps them.

Where package registries are all there is, a machine can't pull; and to load images takes an
emulated one half an hour. So an engine here does it, with data of its own.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.client import eventually
from tests.vm.machine import IMAGES, Disk


def disk_with(images: Sequence[str], folder: Path) -> Disk:
    """Makes it of images of this machine's engine; the machine mounts it where Docker looks."""
    data, disk = folder / "docker", Disk(folder / "images.img", IMAGES)
    with _engine(folder, data) as host:
        save = subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE)
        subprocess.run(["docker", "--host", host, "load"], stdin=save.stdout, check=True)
        assert save.wait() == 0
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-L", IMAGES, "-d", data, disk.path, "6G"], check=True
    )
    shutil.rmtree(data)
    return disk


@contextmanager
def _engine(folder: Path, data: Path) -> Iterator[str]:
    host = f"unix://{folder}/docker.sock"
    # In a network of its own, or it would take the bridge of this machine's engine away.
    words = ["unshare", "--net", "dockerd", "--host", host]
    words += ["--data-root", data, "--exec-root", folder / "exec"]
    words += ["--pidfile", folder / "docker.pid", "--storage-driver", "overlay2"]
    words += ["--bridge=none", "--iptables=false"]  # no container runs there
    with (folder / "docker.log").open("w") as log:
        engine = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        ask = ["docker", "--host", host, "version"]
        eventually("an engine", lambda: not subprocess.run(ask, capture_output=True).returncode)
        yield host
    finally:
        engine.terminate()
        engine.wait(60)
