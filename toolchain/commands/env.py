"""Lines for eval, so that plain `pulumi` works."""

from __future__ import annotations

import shlex
from argparse import Namespace

from ..setup import pulumi_cli
from ..setup.steps import Problem
from ..stacks import environment


def run(given: Namespace) -> None:
    """Runs it."""
    found = pulumi_cli.find()
    if found is None:
        raise Problem("Pulumi isn't set up yet: run make setup.")
    shared = environment.backend_of(given.stack)
    own = environment.variables(found) | ({"PULUMI_BACKEND_URL": shared} if shared else {})
    for variable, value in own.items():
        print(f"export {variable}={shlex.quote(value)}")
