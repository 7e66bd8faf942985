"""Builds images ahead, as this plugin builds them: Pulumi finds them there later.

Standard input is JSON: `{"host": "unix://…", "builds": [{"reference", "context", "arguments"}]}`.
"""

from __future__ import annotations

import json
import sys

from . import image
from .engine import Engine, Settings
from .errors import PluginError
from .resource import Call


def main() -> int:
    """Prints the builder's steps. A fault is told again when Pulumi builds."""
    asked = json.load(sys.stdin)
    call = Call(Engine(Settings(asked["host"])), progress=lambda text: print(text, flush=True))
    for each in asked["builds"]:
        try:
            image.build(call, each["reference"], _options(each))
        except PluginError as error:
            print(error)
            return 1
    return 0


def _options(each: dict[str, object]) -> dict[str, object]:
    return {"context": each["context"], "args": each["arguments"]}


if __name__ == "__main__":
    sys.exit(main())
