"""Starts the plugin. The engine reads its port from the first line on standard output."""

import os

# grpc reads these when it is imported; a plugin's standard error is shown to the user.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from .server import serve

serve()
