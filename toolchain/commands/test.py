"""Run all tests, or those named."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace

from ..setup import base_images, docker_engine, paths, pulumi_cli, python_env, test_packages
from ..setup.engine import Engine
from ..stacks import environment

# A machine is booted only when asked for (make test-vm): without hardware support it takes long.
SUITE = ["tests/stranger", "tests/unit", "tests/engine", "tests/local", "tests/kubernetes"]
# Two at a time, as tests/conftest.py shares them out, in this order: what a stranger meets is told
# first. How long the longest took is told.
_SHARED = ["--numprocesses", "2", "--dist", "loadgroup", "--no-loadscope-reorder"]
_WHOLE = [*_SHARED, "--durations", "30", *SUITE]


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("arguments", nargs="*")


def run(given: Namespace) -> None:
    """Runs it."""
    arguments: list[str] = given.arguments
    python_env.ensure(developer=True)
    pulumi_cli.ensure()
    engine = Engine()
    docker_engine.ensure(engine)
    base_images.ensure(engine)
    test_packages.ensure()
    if not arguments or any(each.startswith("tests/kubernetes") for each in arguments):
        test_packages.ensure_kubernetes()
    found = pulumi_cli.find()
    assert found is not None
    variables = os.environ | environment.variables(found)
    command = [str(python_env.PYTHON), "-m", "pytest", *(arguments or _WHOLE)]
    sys.stdout.flush()
    os.chdir(paths.ROOT)
    os.execve(command[0], command, variables)
