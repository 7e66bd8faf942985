"""Says who has a server, so that their buckets are mounted; nothing waits for that.

A file on a volume for each user; images/rclone reads them. The mounts reach a container that runs
already, so a store that is away holds up no start.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

ASKED = Path("/srv/asked")


def ask(name: str, others: Iterable[str]) -> None:
    """Asks for a user's mounts, and forgets those of everybody who has no server any more.

    Names are escaped. `others` are all who have a server; they were asked for when it started.
    """
    (ASKED / name).touch()
    forget_all_but({name, *others})


def forget_all_but(names: set[str]) -> None:
    """Drops the mounts of everybody else: also of who lost their server while the hub was away."""
    for file in os.listdir(ASKED):
        if file not in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(ASKED / file)
