"""Images that are pulled, not built here: CI scans them, too."""

from __future__ import annotations

import re

from ..setup import base_images, paths

# `reference:` of an image, and `proxy.image`; a VM's image has no tag.
_IMAGE = re.compile(r"^[^#\n]*?\b(?:reference|image):\s*[\"']?([\w./-]+[:@][\w.:@-]+)", re.M)


def references() -> list[str]:
    """The base images, and those that stack files of one's own name; templates only show how."""
    files = (paths.ROOT / "stacks").glob("Pulumi.*.yaml")
    named = {image for file in files for image in _IMAGE.findall(file.read_text())}
    return [base_images.DEBIAN, base_images.TRAEFIK, *sorted(named)]
