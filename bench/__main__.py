"""`make bench`: prints what was measured and writes it to docs/benchmarks.md, part by part."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from . import dask, hub, load, page, previews, setup

PARTS = {"setup": setup, "hub": hub, "load": load, "previews": previews, "dask": dask}


def main(wanted: list[str]) -> int:
    """Measures one part, or all; each in one run of its own."""
    if unknown := set(wanted) - PARTS.keys():
        print(f"WHAT: found {', '.join(unknown)}; allowed: {', '.join(PARTS)}", file=sys.stderr)
        return 1
    for name in wanted or PARTS:
        part, load = PARTS[name], os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder:
            rows = part.rows(Path(folder))
        section = page.section(name, part.TITLE, part.ABOUT, rows, load)
        page.keep(part.TITLE, section)
        print(section, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
