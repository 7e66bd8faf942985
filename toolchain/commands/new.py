"""A stack file of your own, from one of stacks/catalogue/."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..setup import paths
from ..stacks import stack_file


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--from", dest="source", default="", help="default: the stack's own name")


def run(given: Namespace) -> None:
    """Runs it."""
    file = stack_file.make(given.stack, given.source or given.stack)
    print(f"{file.relative_to(paths.ROOT)} is yours: edit it, then make up STACK={given.stack}")
