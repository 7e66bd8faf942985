"""The kinds of image that users can start: name → source in a stack file.

What must hold whatever the image is tested for each; a new kind joins by its line here. Each is
built with what package registries have: the images' README.md say what that leaves out.
"""

from __future__ import annotations

from typing import Any

KINDS: dict[str, dict[str, Any]] = {
    "notebook": {"bundled": "notebook"},
    "dask": {"bundled": "dask"},
    "desktop": {"bundled": "desktop"},
    "root": {"bundled": "root"},
    "spark": {"bundled": "spark"},
    "rstudio": {"bundled": "rstudio", "arguments": {"RSTUDIO_URL": ""}},
    "ml": {"bundled": "ml", "arguments": {"FRAMEWORKS": "tensorflow"}},
}
