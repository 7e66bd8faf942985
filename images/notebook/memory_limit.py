"""Says in the cell that the memory limit ended its kernel.

By itself JupyterLab only says that the kernel "appears to have died".
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

# Of cgroup version 2 and 1, as a container sees its own.
_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)


def kills() -> int:
    """How many programs of this container were ended for want of memory."""
    for file in _COUNTERS:
        if file.exists() and (found := re.search(r"^oom_kill (\d+)", file.read_text(), re.M)):
            return int(found[1])
    return 0


def message() -> str:
    """What the user reads."""
    limit = int(os.environ.get("MEM_LIMIT") or 0)
    size = f" ({limit / 1024**3:.3g} GiB)" if limit else ""
    return (
        f"Your kernel hit the memory limit of your server{size} and was ended. Its variables are "
        "gone; your files are not. Load less data at a time, shut down notebooks that you don't "
        "need (File, Close and Shut Down Notebook), or ask for a larger server."
    )


class Connection(ZMQChannelsWebsocketConnection):
    """A browser's connection to a kernel."""

    _seen = kills()  # of all connections: a kill is told once
    _cell: dict[str, Any] | None = None

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """Remembers the cell that runs."""
        header = self._header(incoming_msg)
        if header.get("msg_type") == "execute_request":
            self._cell = header
        super().handle_incoming_message(incoming_msg)

    def _header(self, message: Any) -> dict[str, Any]:
        if self.subprotocol == "v1.kernel.websocket.jupyter.org":
            _, parts = deserialize_msg_from_ws_v1(message)
            return dict(json.loads(parts[0]))
        if isinstance(message, str):
            return dict(json.loads(message).get("header") or {})
        return {}

    def on_kernel_restarted(self) -> None:
        """Tells why, before the browser forgets the cell."""
        if (now := kills()) > Connection._seen:
            Connection._seen = now
            self.write_stderr(message(), self._cell or {})
        super().on_kernel_restarted()
