"""Settings of every Jupyter server from this image."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # memory_limit.py is beside this file

c = get_config()  # noqa: F821

c.ServerApp.open_browser = False
c.FileContentsManager.delete_to_trash = False  # a hidden trash fills homes
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash", "-l"]}
# Extensions that a class doesn't need; each costs time at the start of every server.
c.ServerApp.jpserver_extensions = {"jupyter_lsp": False}

c.ServerApp.kernel_websocket_connection_class = "memory_limit.Connection"
# Memory and CPU in the status bar, against the limits that the hub sets.
c.ResourceUseDisplay.track_cpu_percent = True
c.ResourceUseDisplay.mem_warning_threshold = 0.1
