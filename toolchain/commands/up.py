"""Set up what is missing, and make the hub what the stack file says."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..stacks import converge


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--accept-empty", default="", metavar="VOLUMES")
    parser.add_argument("--take-over", action="store_true", help="a hub of another account, too")


def run(given: Namespace) -> None:
    """Runs it."""
    converge.up(given.stack, given.accept_empty, given.take_over)
