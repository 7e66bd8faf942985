"""The images that a stack's hub and its users need built: `python -m stacks.builds STACK`.

Prints them as JSON, bases first: `[{"reference": …, "context": …, "arguments": {…}}, …]`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from components.config import read_file
from components.images import builds


def main(arguments: list[str]) -> None:
    """Prints the list. Standard input is the stack file's text, which was checked before."""
    config = read_file(Path("stacks") / f"Pulumi.{arguments[0]}.yaml", sys.stdin.read())
    sources = [config.hub.image, *(image.source for image in config.hub.images)]
    found = [build for source in sources for build in builds(source, config.egress)]
    print(json.dumps([asdict(build) for build in {b.reference: b for b in found}.values()]))


if __name__ == "__main__":
    main(sys.argv[1:])
