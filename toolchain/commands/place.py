"""Takes the first of a stack's places that has room, and writes it into the stack file."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace

from ..setup import paths, python_env
from ..setup.steps import Problem
from ..stacks import state as states
from ..stacks.stack import Stack


def run(given: Namespace) -> None:
    """Runs it."""
    choose(given.stack)


def choose(name: str) -> None:
    """Asks the places in turn; a stack that has resources stays where it is."""
    python_env.ensure()
    stack = Stack(name)
    stack.require_file()
    state = stack.ensure()
    if any(r["type"].startswith(f"{stack.cloud}:") for r in states.resources(state)):
        raise Problem(f"Stack {name} has its place already; its disks can't move to another.")
    command = [str(python_env.PYTHON), "-m", "stacks.place", name]
    answer = subprocess.run(
        command,
        cwd=paths.ROOT,
        env=stack.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise Problem("No place was chosen, see above.")
    place = json.loads(answer.stdout)
    for key, value in place.items():
        stack.require("config", "set", "--path", f"jupyterhub:site.{key}", str(value))
    chosen = " ".join(place.values())
    print(f"Place: {chosen}, written into stacks/{stack.file.name}", file=sys.stdout)
