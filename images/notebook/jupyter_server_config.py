"""Settings of every Jupyter server from this image."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # culling.py and others are beside this file

# Set by the hub on the server that a group has in common.
together = bool(os.environ.get("WORK_TOGETHER"))

c = get_config()  # noqa: F821

c.ServerApp.open_browser = False
c.FileContentsManager.delete_to_trash = False  # a hidden trash fills homes
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash", "-l"]}
# Extensions that a class doesn't need; each costs time at the start of every server.
c.ServerApp.jpserver_extensions = {
    "jupyter_lsp": False,
    "culling": True,
    "jupyter_server_ydoc": False,  # `together` is the same, and saves at the end
    "jupyter_server_fileid": together,
    "together": together,
}
if together:
    c.LabApp.extra_labextensions_path = ["/opt/together/labextensions"]
    # What it remembers of open documents stays in the container: no SQLite on NFS.
    c.SQLiteYStore.db_path = "/tmp/documents.db"
    c.BaseFileIdManager.db_path = "/tmp/files.db"
    c.YDocExtension.session_store_path = "/tmp/sessions.json"

c.ServerApp.kernel_websocket_connection_class = "memory_limit.Connection"
# Memory and CPU in the status bar, against the limits that the hub sets.
c.ResourceUseDisplay.track_cpu_percent = True
c.ResourceUseDisplay.mem_warning_threshold = 0.1
# With a quota, a home looks like a disk of that size; without, it is the whole host's.
c.ResourceUseDisplay.track_disk_usage = "DISK_LIMIT" in os.environ
