"""The official provider plugins: which are here, and getting those that are not."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import subprocess
import time
from pathlib import Path

from . import paths

STANDINS = Path(__file__).parent.parent / "plugins" / "cloud_standin" / "bin"


@functools.cache
def version(name: str) -> str:
    """The version that requirements.txt pins for a provider's SDK."""
    text = (paths.ROOT / "requirements.txt").read_text()
    match = re.search(rf"^pulumi-{name}==(\S+)$", text, re.M)
    assert match, f"pulumi-{name} is not in requirements.txt"
    return match[1]


def is_installed(name: str) -> bool:
    """Whether the engine finds the official plugin."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    return (home / "plugins" / f"resource-{name}-v{version(name)}").is_dir()


def install(program: Path, name: str, seconds: float = 300) -> bool:
    """Tries once a day to get it; says whether it is there."""
    tried = paths.cache() / f"{name}-plugin.tried"
    if is_installed(name):
        return True
    if tried.exists() and time.time() - tried.stat().st_mtime < 86400:
        return False
    tried.touch()
    command = [str(program), "plugin", "install", "resource", name, version(name)]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, check=False, timeout=seconds)
    return is_installed(name)
