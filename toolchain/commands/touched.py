"""Stacks that a change is about, as one JSON list: what a matrix of jobs takes."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from ..stacks import environment, touched


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--base", default="", help="what to compare with: origin/main")
    parser.add_argument("--all", action="store_true", help="whatever changed")
    parser.add_argument("--deployed", action="store_true", help="only with a state that CI reaches")


def run(given: Namespace) -> None:
    """Runs it."""
    found = list(touched.platforms()) if given.all else touched.since(given.base)
    if given.deployed:
        found = [name for name in found if environment.backend_of(name)]
    print(json.dumps(found))
