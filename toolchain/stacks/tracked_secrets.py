"""No file that git tracks has a secret: what ships is for strangers, who can't decrypt it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ..setup import paths

_SECRET = re.compile(
    r"^encryptionsalt:|\bsecure: *[\"']?v1:|^-----BEGIN [A-Z ]*PRIVATE KEY", re.MULTILINE
)
_CHECKED = (".yaml", ".yml", ".json", ".pem", ".key", ".conf", ".env")
# States of releases, which upgrades are tried on; their passphrase is in tests/engine/released.py.
_THROWN_AWAY = "tests/engine/released/"


def faults(root: Path = paths.ROOT) -> Iterator[str]:
    """A sentence for each file, with the way out."""
    for name in _tracked(root):
        if not name.endswith(_CHECKED) or name.startswith(_THROWN_AWAY):
            continue
        file = root / name
        if _is_shared(file) or not file.is_file():
            continue
        if _SECRET.search(file.read_text(errors="replace")):
            yield (
                f"{name} has a secret, and git tracks it. A template's own copy, "
                "stacks/Pulumi.<stack>.yaml, may have secrets; commit that one only with a state "
                "that colleagues reach (make backend)."
            )


def _is_shared(file: Path) -> bool:
    """A team's stack file: where its state is stands beside it, so others can use its secrets."""
    match = re.fullmatch(r"Pulumi\.(.+)\.yaml", file.name)
    return match is not None and (file.parent / f"backend.{match[1]}").exists()


def _tracked(root: Path) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
    )
    return [name for name in done.stdout.split("\0") if name]
