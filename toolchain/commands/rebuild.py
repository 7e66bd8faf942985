"""A new VM from a new image, on the same data, also when the old one is dead."""

from __future__ import annotations

from argparse import Namespace

from ..setup.steps import Problem, heading, step
from ..stacks import recovery, vm
from ..stacks.machine import Machine
from ..stacks.stack import Stack, alone


def run(given: Namespace) -> None:
    """Runs it."""
    with alone(given.stack):
        rebuild(given.stack)


def rebuild(name: str) -> None:
    """Takes the old VM away and makes a new one."""
    stack = Stack(name)
    state = stack.exported()
    if stack.cloud is None or not state or not vm.vm_ids(state):
        raise Problem(f"Stack {name} has no VM to rebuild: make up STACK={name}")
    vm.check_plugin(stack)
    recovery.unlock(stack)
    old = Machine.of(state)
    with step("Servers and hub on the old VM") as current:
        stopped = old is not None and vm.stop_all(stack, old)
        current.result = "stopped" if stopped else "not reached: going on without it"
    vm.forget_inside(stack, state)
    number = int(stack.facts["rebuild"]) + 1
    stack.require("config", "set", "--path", "jupyterhub:vm.rebuild", str(number))
    heading("pulumi up: a new VM on the same data")
    if not stack.show("up", "--yes", "--skip-preview", "--suppress-outputs"):
        raise Problem("pulumi up failed, see above. The data is untouched; make up goes on.")
