"""Delete everything, the data too."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from ..setup.steps import Problem, ask
from ..stacks import receipt, recovery
from ..stacks import state as states
from ..stacks.machine import Machine
from ..stacks.remove import destroy, engine_of
from ..stacks.stack import alone, existing


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--yes", action="store_true", help="don't ask")


def run(given: Namespace) -> None:
    """Runs it."""
    with alone(given.stack):
        purge(given.stack, given.yes)


def purge(name: str, sure: bool) -> None:
    """Asks, then deletes all of a stack."""
    stack, before = existing(name)
    engine = engine_of(before)
    names = receipt.data(before)
    print("This deletes the hub and all data in: " + (", ".join(names) or "no volumes"), flush=True)
    if not sure and ask(f"Type the stack's name ({name}) to delete it: ") != name:
        raise Problem(f"Nothing was deleted. Without a terminal: make purge STACK={name} YES=1")
    recovery.unlock(stack)
    state = states.released(stack.exported() or {})
    stack.require("stack", "import", given=json.dumps(state))
    destroy(stack, state)
    if engine:
        for volume in states.volumes(state):
            engine.remove("volumes", volume)
    stack.require("stack", "rm", "--yes", "--force", "--preserve-config")
    print(f"Deleted: {', '.join(names) or 'the hub'}")
    if claims := receipt.claims(before):
        print(f"Left in the cluster: {', '.join(claims)} (docs/kubernetes.md, Going away)")
    if Machine.of(before) and not stack.cloud:
        print("The folders on the machine are left; there: sudo rm -r /srv/data")
