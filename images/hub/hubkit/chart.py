"""What the chart has told the hub, for commands in the hub's pod: its configuration, read again."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from .database import own_file, url
from .settings import load_secrets

CONFIG = Path("/usr/local/etc/jupyterhub/jupyterhub_config.py")


def configuration() -> Config:
    """What the running hub was configured with."""
    with contextlib.redirect_stdout(sys.stderr):  # it prints what it loads
        found: Config = PyFileConfigLoader(CONFIG.name, str(CONFIG.parent)).load_config()
    return found


def database(state: Path) -> str:
    """Address of the hub's database; in a cluster it may be another one than its own volume's."""
    if CONFIG.exists():
        return str(configuration().JupyterHub.get("db_url", own_file(state)))
    return url(state, load_secrets())
