"""Set this machine and the stack up, start nothing."""

from __future__ import annotations

from argparse import Namespace

from ..setup.steps import expect
from ..stacks import ready


def run(given: Namespace) -> None:
    """Runs it."""
    expect(ready.STEPS)
    ready.set_up(given.stack)
