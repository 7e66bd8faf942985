"""A store that speaks S3, by `rclone serve s3`: buckets are the folders of a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import requests

from tests.client import eventually

PROGRAM = Path(sys.executable).parent / "rclone"  # newer than Debian's, which serves no S3
KEY, SECRET = "key-of-this-test", "secret-of-this-test"


class Store:
    """A store on loopback, which can be killed and started again; what is in it stays."""

    def __init__(self, port: int, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def bucket(self, name: str) -> Path:
        """A bucket, as the folder that it is here."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def start(self) -> None:
        """Starts it."""
        command: list[str | Path] = [PROGRAM, "serve", "s3", self.folder]
        command += ["--addr", f"127.0.0.1:{self._port}", "--auth-key", f"{KEY},{SECRET}"]
        command += ["--config", "", "--vfs-cache-mode", "off"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        eventually("the store", lambda: requests.get(self.url, timeout=5).status_code, 20)

    def kill(self) -> None:
        """Ends it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
