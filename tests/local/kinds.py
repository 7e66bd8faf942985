"""The kinds of image that this project has: name → source in a stack file.

What must hold whatever the image is tested for each; a new kind joins by its line here.
"""

from __future__ import annotations

KINDS: dict[str, dict[str, str]] = {
    "notebook": {"build": "images/notebook"},
    "dask": {"build": "images/dask", "base": "images/notebook"},
}
