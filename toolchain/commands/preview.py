"""What `make up` would change, as a report, and whether data would be lost."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..stacks.preview import Wishes, show


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--diff", action="store_true", help="Pulumi's own text, not the report")
    parser.add_argument("--alone", action="store_true", help="without state, secrets, credentials")
    parser.add_argument("--approve", default="", metavar="RESOURCES", help="that may be replaced")
    parser.add_argument("--description", default="", metavar="FILE", help="of the pull request")
    parser.add_argument("--out", default="", metavar="FILE", help="for the report, too")


def run(given: Namespace) -> None:
    """Runs it."""
    show(
        given.stack,
        Wishes(given.diff, given.alone, given.approve, given.description, given.out),
    )
