"""All outputs as one JSON document, passwords included."""

from __future__ import annotations

import json
from argparse import Namespace

from ..stacks.stack import existing


def run(given: Namespace) -> None:
    """Runs it."""
    stack, _ = existing(given.stack)
    print(json.dumps(stack.outputs(), indent=2))
