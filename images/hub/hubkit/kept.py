"""JSON files on the state volume, replaced whole or not at all: a hub may be killed at any time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def read(file: Path, missing: Any) -> Any:
    """What is in the file; `missing` where there is none."""
    return json.loads(file.read_text()) if file.exists() else missing


def replace(file: Path, content: Any) -> None:
    """Writes the file."""
    partial = file.with_name(f"{file.name}.new")
    partial.write_text(json.dumps(content))
    os.replace(partial, file)
