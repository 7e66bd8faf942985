"""Takes a hub away, and leaves what is protected."""

from __future__ import annotations

from typing import Any

from ..setup.engine import Engine
from ..setup.steps import Problem, step
from . import recovery, vm
from . import state as states
from .machine import Machine
from .stack import Stack, engine_at


def destroy(stack: Stack, state: dict[str, Any]) -> dict[str, Any]:
    """Removes all but what is protected; returns the state that is left."""
    engine = engine_of(state)
    if recovery.unlock(stack):
        state = stack.exported() or {}
    if engine is None:
        state = vm.before_destroy(stack, state)
    if engine and engine.version():
        recovery.check_owner(stack, engine, state)
        with step("Servers of users") as current:
            current.result = f"{recovery.stop_servers(stack, engine)} stopped"
        recovery.remove_orphans(stack, engine, state)  # they would keep volumes in use
    options = ("--yes", "--skip-preview", "--exclude-protected", "--suppress-outputs")
    if not stack.show("destroy", *options):
        raise Problem("pulumi destroy failed, see above. The same command goes on from here.")
    left = stack.exported() or {}
    if engine:
        recovery.remove_orphans(stack, engine, left)
    return left


def engine_of(state: dict[str, Any]) -> Engine | None:
    """By the state, so that a stack file with a mistake in it stops nobody from stopping."""
    if Machine.of(state) or Machine.of_cluster(state):
        return None
    return engine_at(states.engine_host(state) or "unix:///var/run/docker.sock")
