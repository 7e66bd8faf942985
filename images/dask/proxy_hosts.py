# The Dask dashboard is reached through the user's own server, behind the hub's login.
import os

c.ServerProxy.host_allowlist = [  # noqa: F821
    "localhost",
    "127.0.0.1",
    *os.environ.get("JUPYTER_PROXY_HOSTS", "").split(),
]
