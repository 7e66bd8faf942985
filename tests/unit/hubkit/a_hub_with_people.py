"""The hub of a_hub.py, whose state and homes are a test's own (real_hub.py)."""

from __future__ import annotations

import os
from pathlib import Path

from hubkit import folders

FOLDER = Path(os.environ["TEST_FOLDER"])
folders.STATE, folders.HOMES = FOLDER / "state", FOLDER / "homes"

from tests.unit.hubkit import a_hub  # noqa: E402  # what it imports takes the folders from there

a_hub.configure(get_config())  # type: ignore[name-defined]  # noqa: F821
