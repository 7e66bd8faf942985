"""JSON files on the state volume, replaced whole or not at all: a hub may be killed at any time.

A machine may lose its power, too: then a file may be torn, and the one before it counts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def read(file: Path, missing: Any) -> Any:
    """What is in the file; `missing` where there is none."""
    if not file.exists():
        return missing
    try:
        return json.loads(file.read_text())
    except ValueError:
        return json.loads(_before(file).read_text())


def replace(file: Path, content: Any) -> None:
    """Writes the file; it is on the disk when this returns."""
    partial = file.with_name(f"{file.name}.new")
    with partial.open("w") as opened:
        json.dump(content, opened)
        opened.flush()
        os.fsync(opened.fileno())
    if _is_whole(file):
        _before(file).unlink(missing_ok=True)
        os.link(file, _before(file))
    os.replace(partial, file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _before(file: Path) -> Path:
    return file.with_name(f"{file.name}.before")


def _is_whole(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except (OSError, ValueError):
        return False
    return True
