"""Take a published image in a stack."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..stacks.pin import pin


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--image", default="")
    parser.add_argument("--reference", default="", help="name@sha256:…")


def run(given: Namespace) -> None:
    """Runs it."""
    pin(given.stack, given.image, given.reference)
