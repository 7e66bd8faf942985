"""`comment`, `issue`, `description`, `propose`: what CI tells the people."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from . import ForgeError, here
from .proposal import propose

_MAY_ONLY_READ = (401, 403, 404)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the commands to a command line."""
    note = commands.add_parser("comment", help="write or update one comment on the pull request")
    note.add_argument("file", type=Path, help="Markdown")
    note.add_argument("--marker", required=True, help="tells this comment from others")
    note.set_defaults(run=_comment)
    issue = commands.add_parser("issue", help="open or update one issue, or close it")
    issue.add_argument("file", type=Path, help="Markdown")
    issue.add_argument("--marker", required=True, help="tells this issue from others")
    issue.add_argument("--title", required=True)
    issue.add_argument("--close", action="store_true", help="it is over: close it, if it is open")
    issue.set_defaults(run=_issue)
    told = commands.add_parser("description", help="print the pull request's description")
    told.set_defaults(run=_description)
    ask = commands.add_parser("propose", help="commit files and open a pull request for them")
    ask.add_argument("files", nargs="+", type=Path)
    ask.add_argument("--branch", required=True)
    ask.add_argument("--title", required=True)
    ask.add_argument("--text", default="", help="the description")
    ask.set_defaults(run=_propose)


def _comment(arguments: argparse.Namespace) -> int:
    text = arguments.file.read_text()
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a") as file:
            file.write(f"{text}\n")
    try:
        print(f"Report: {here().comment(arguments.marker, text)}")
    except ForgeError as error:
        if error.status not in _MAY_ONLY_READ:
            print(f"The comment could not be written: {error}", file=sys.stderr)
            return 1
        # A fork's token may only read. The verdict is the job's, the report is there for all.
        print(f"No comment, for this run may only read ({error}). See the report in this log.")
    return 0


def _issue(arguments: argparse.Namespace) -> int:
    try:
        if arguments.close:
            print(here().close(arguments.marker, arguments.file.read_text()))
        else:
            print(here().issue(arguments.marker, arguments.title, arguments.file.read_text()))
    except ForgeError as error:
        print(f"The issue could not be written: {error}", file=sys.stderr)
        return 1
    return 0


def _description(_: argparse.Namespace) -> int:
    try:
        print(here().description())
    except ForgeError as error:
        print(f"No description, so nothing is approved: {error}", file=sys.stderr)
    return 0


def _propose(arguments: argparse.Namespace) -> int:
    try:
        print(propose(arguments.files, arguments.branch, arguments.title, arguments.text))
    except ForgeError as error:
        print(f"The change could not be proposed: {error}", file=sys.stderr)
        return 1
    return 0
