"""A machine and a stack made ready for `pulumi up`."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from ..setup import base_images, docker_engine, pulumi_cli, python_env, root_needs
from ..setup.steps import Problem, no_space, side_by_side
from . import ahead
from .stack import Stack

STEPS = 5  # that a person sees


def set_up(name: str) -> tuple[Stack, dict[str, Any]]:
    """Sets up everything that is missing; the stack with its secrets, and its state."""
    if full := no_space():
        raise Problem(f"Nothing was changed: {full}")
    stack = Stack(name)
    stack.require_file()
    root_needs.check(stack.file)
    python_env.ensure()
    engine = stack.engine  # reads the stack file: its mistakes come before anything is installed

    own_plugin: Future[bool] = Future()

    def containers() -> None:
        if engine:
            docker_engine.ensure(engine)
            base_images.ensure(engine)
            ahead.build(stack, engine, own_plugin)

    side_by_side(lambda: pulumi_cli.ensure(own_plugin), containers)
    return stack, stack.ensure()
