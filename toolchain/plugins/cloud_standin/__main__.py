"""Starts the plugin for the name given. The engine reads its port from standard output."""

import os
import sys

# grpc reads these when it is imported; a plugin's standard error is shown to the user.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from .server import serve

serve(sys.argv[1])
