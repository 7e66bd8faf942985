"""Where the data is that the hub sees."""

from __future__ import annotations

from pathlib import Path

STATE = Path("/srv/state")
HOMES, SHARED = Path("/srv/homes"), Path("/srv/shared")
SCRATCH = Path("/srv/scratch")
GROUPS = ".groups"  # among the homes; no user's folder can be called so
