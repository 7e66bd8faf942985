"""What holds data, and how to adopt or delete it."""

from __future__ import annotations

from argparse import Namespace

from ..stacks import receipt
from ..stacks.stack import existing


def run(given: Namespace) -> None:
    """Runs it."""
    _, state = existing(given.stack)
    for line in receipt.kept(given.stack, state):
        print(line)
