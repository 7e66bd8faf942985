"""docs/benchmarks.md: a section for each part, of which each run replaces its own."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def section(
    name: str, title: str, about: str, rows: list[tuple[str, str, str]], load: float
) -> str:
    """A part's text: when, where and how it was measured, and its table.

    `load`: of the machine before; afterwards it is also that of the measuring itself.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    head = [
        f"## {title}",
        "",
        f"Made by `make bench WHAT={name}` on {date}: {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Linux {platform.release().split('-')[0]}, {platform.machine()}. "
        f"Load {load:.1f} before, {os.getloadavg()[0]:.1f} at the end.",
        about,
        "",
        "| what | measured | aim |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *(f"| {a} | {b} | {c} |" for a, b, c in rows)]) + "\n"


def keep(title: str, text: str) -> None:
    """Puts a section in the place of the one of the same title, or at the end."""
    head, *others = re.split(r"^(?=## )", PAGE.read_text(), flags=re.M)
    found = {each.splitlines()[0]: each.strip() for each in others}
    found[f"## {title}"] = text.strip()
    PAGE.write_text("\n\n".join([head.strip(), *found.values()]) + "\n")
