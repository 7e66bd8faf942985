"""Where a stack file names an image: `python -m stacks.pin FILE IMAGE REFERENCE`.

Prints what to set as JSON: `[["jupyterhub:hub.image.reference", "ghcr.io/…@sha256:…"], …]`, null
for what has to go.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from components import ConfigError, ImageArgs, JupyterHubHostArgs

Setting = tuple[str, str | None]


def settings(hub: JupyterHubHostArgs, image: str, reference: str) -> Iterator[Setting]:
    """The settings that make a hub take a published image instead of building it."""
    if _is(hub.image, image, reference):
        given = "image" in hub.model_fields_set
        yield from _replace("jupyterhub:hub.image", hub.image if given else None, reference)
    given = "images" in hub.model_fields_set
    for index, notebook in enumerate(hub.images):
        if _is(notebook.source, image, reference):
            path = f"jupyterhub:hub.images[{index}]"
            if not given:
                yield f"{path}.title", notebook.title
            yield from _replace(f"{path}.source", notebook.source if given else None, reference)


def _is(source: ImageArgs, image: str, reference: str) -> bool:
    """Whether it is built from this folder, or was published from it before.

    With arguments it is another image than the published one.
    """
    if source.folder:
        return source.folder.name == image and not source.arguments
    return str(source.reference).split("@")[0].split(":")[0] == reference.split("@")[0]


def _replace(path: str, source: ImageArgs | None, reference: str) -> Iterator[Setting]:
    yield f"{path}.reference", reference
    for name in ("base", "build", "bundled"):
        if source and name in source.model_fields_set and getattr(source, name):
            yield f"{path}.{name}", None


def _hub(file: Path) -> JupyterHubHostArgs:
    """The images alone: the rest of a template may still wait for its owner."""
    document = yaml.safe_load(file.read_text()) or {}
    section = (document.get("config") or {}).get("jupyterhub:hub") or {}
    return JupyterHubHostArgs(**{k: v for k, v in section.items() if k in ("image", "images")})


def main(arguments: list[str]) -> int:
    """Prints the settings; an empty list where the stack doesn't use the image."""
    file, image, reference = arguments
    try:
        hub = _hub(Path(file))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(list(settings(hub, image, reference))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
