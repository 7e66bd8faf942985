"""Stop everything, keep the data; tell what was deleted and what is kept."""

from __future__ import annotations

from argparse import Namespace

from ..stacks import receipt, vm
from ..stacks import state as states
from ..stacks.remove import destroy
from ..stacks.stack import alone, existing


def run(given: Namespace) -> None:
    """Runs it."""
    name = given.stack
    with alone(name):
        stack, state = existing(name)
        left = destroy(stack, state)
    print()
    for line in receipt.lines(name, state, left):
        print(line)
    for line in vm.left_behind(stack, {str(r.get("id")) for r in states.resources(left)}):
        print(line)
