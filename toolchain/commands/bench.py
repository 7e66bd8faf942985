"""Measure, into docs/benchmarks.md, on stacks of their own."""

from __future__ import annotations

import subprocess
from argparse import ArgumentParser, Namespace

from ..setup import python_env
from ..setup.steps import Problem


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument(
        "--what", default="", help="setup, hub, load, previews or dask; default: all"
    )


def run(given: Namespace) -> None:
    """Runs it."""
    python_env.ensure(developer=True)
    words = [python_env.PYTHON, "-m", "bench", *given.what.split()]
    if subprocess.run(words, check=False).returncode:
        raise Problem("The benchmark failed, see above.")
