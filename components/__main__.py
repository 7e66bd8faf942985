"""`python -m pulumi_jupyterhub COMMAND`: what CI needs besides Pulumi."""

from __future__ import annotations

import argparse
import sys

from .forge import command as forge
from .preview_report import command as preview_report


def main(arguments: list[str]) -> int:
    """Runs a command; returns its exit code."""
    name = f"python -m {__package__}"
    parser = argparse.ArgumentParser(prog=name, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    preview_report.add_to(commands)
    forge.add_to(commands)
    parsed = parser.parse_args(arguments)
    return int(parsed.run(parsed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
