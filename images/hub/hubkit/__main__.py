"""Starts the hub: checks that the data is the data it knows, then becomes JupyterHub."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from . import database, quota, volumes
from .folders import HOMES, SHARED, STATE
from .settings import load_settings

DATA = {"homes": HOMES, "shared": SHARED}


def main() -> None:
    """Never returns: the process becomes JupyterHub, or ends with one clear line."""
    try:
        volumes.check(STATE, DATA)
        if load_settings().files.disk_quota:
            quota.require(DATA.values())
        database.prepare(STATE)
    except (volumes.VolumeLost, database.DatabaseTooNew, quota.NoQuota) as error:
        sys.exit(f"hub not started: {error}")
    config = Path(__file__).with_name("jupyterhub_config.py")
    os.chdir(STATE)
    os.execvp("jupyterhub", ["jupyterhub", "-f", str(config)])


if __name__ == "__main__":
    main()
