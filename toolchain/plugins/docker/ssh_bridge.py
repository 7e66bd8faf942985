"""Docker over ssh: a local socket, each connection of which is an ssh to the engine's machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from .errors import PluginError


class SshBridge:
    """Uses the system's ssh, so that its configuration, agent and known hosts count."""

    def __init__(self, host: str, options: Sequence[str]) -> None:
        self._host = host
        self._command = ssh_command(host, options)
        self._folder: Path | None = None

    def address(self) -> str:
        """The local socket; it is made at the first call."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="docker-ssh-"))
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self._folder / "socket"))
            listener.listen(64)
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return f"unix://{self._folder / 'socket'}"

    def close(self) -> None:
        """Removes the socket."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._carry, args=(connection,), daemon=True).start()

    def _carry(self, connection: socket.socket) -> None:
        with connection, self._complaints.open("wb") as complaints:
            end = connection.fileno()
            subprocess.run(self._command, stdin=end, stdout=end, stderr=complaints, check=False)

    @property
    def _complaints(self) -> Path:
        assert self._folder is not None
        return self._folder / "errors"

    def explained(self, error: Exception) -> Exception:
        """The error with what ssh said about it, which docker-py can't know."""
        said = self._complaints.read_text(errors="replace").strip() if self._folder else ""
        if not said:
            return error
        return PluginError(
            f"no connection to Docker at {self._host}. ssh says: {said.splitlines()[-1]}. "
            f"Try it by hand: {' '.join(self._command[:-1])} docker version"
        )


def ssh_command(host: str, options: Sequence[str]) -> list[str]:
    """The command that carries one connection to the engine."""
    url = urlsplit(host)
    if not url.hostname:
        raise PluginError(f"{host} names no machine; write ssh://user@machine")
    user = ["-l", url.username] if url.username else []
    port = ["-p", str(url.port)] if url.port else []
    remote = ["docker", "system", "dial-stdio"]
    return ["ssh", *options, *user, *port, "--", url.hostname, " ".join(remote)]
