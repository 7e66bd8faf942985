"""A copy of a stack's state as it last was whole, where Pulumi keeps it in a file.

On a full disk Pulumi leaves its state empty, and its own `.bak` as well. What came after the copy
is found by its labels, and volumes by their names.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from ..setup import paths


def keep(backend: str, stack: str) -> None:
    """Copies the state: a new copy takes the place of the old one when it is whole."""
    source, copy = _file(backend, stack), _copy(stack)
    if source is None or not is_whole(source):
        return
    copy.parent.mkdir(mode=0o700, exist_ok=True)
    partial = copy.with_name(f"{copy.name}.new")
    with contextlib.suppress(OSError):  # a full disk: the old copy stays
        with partial.open("wb") as out:
            out.write(source.read_bytes())
            out.flush()
            os.fsync(out.fileno())
        partial.replace(copy)


def bring_back(backend: str, stack: str) -> bool:
    """Puts the copy in the place of a state that is no more whole, if that is what is wrong."""
    target, copy = _file(backend, stack), _copy(stack)
    if target is None or is_whole(target) or not copy.exists():
        return False
    partial = target.with_name(f"{target.name}.whole")
    partial.write_bytes(copy.read_bytes())
    partial.replace(target)
    target.with_name(f"{target.name}.attrs").unlink(missing_ok=True)  # the sum of the other text
    return True


def is_whole(file: Path) -> bool:
    """Whether a file is a JSON document."""
    try:
        json.loads(file.read_bytes())
    except ValueError:
        return False
    return True


def _copy(stack: str) -> Path:
    return paths.data() / "last-good" / f"{stack}.json"


def _file(backend: str, stack: str) -> Path | None:
    """Where Pulumi has the state; None where that is no file of this project."""
    if not backend.startswith("file://"):
        return None
    folder = Path(backend.removeprefix("file://")).expanduser() / ".pulumi" / "stacks"
    return next(iter(folder.glob(f"*/{stack}.json")), None)
