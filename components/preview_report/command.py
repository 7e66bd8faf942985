"""`preview-report`: the plan in, the page out, the verdict as exit code."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .gate import approvals_in, judge
from .markdown import DOCS, LIMIT, page
from .plan import Change, Unreadable, read

OK, INCOMPLETE, DATA_LOSS, DRIFT = 0, 1, 3, 4
_FAILED = """### ❌ Preview of stack `{stack}`: no plan

{reason}

What the change would do is unknown.

[What a change does to a running hub]({docs})
"""
_HELP = f"""exit codes:
  {OK}  no data would be lost
  {INCOMPLETE}  the preview failed or can't be read: what the change would do is unknown
  {DRIFT}  with --drift: something differs
  {DATA_LOSS}  something that holds data would be replaced or deleted, and nobody approved it
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to a command line."""
    made = commands.add_parser(
        "preview-report",
        help="what a preview would do, as Markdown, and whether data would be lost",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "plan", nargs="?", default="-", help="what `pulumi preview --json` printed; default: stdin"
    )
    made.add_argument("--stack", default="", help="the stack's name, where the plan doesn't say")
    made.add_argument("--out", type=Path, help="file for the page; default: stdout")
    made.add_argument("--approve", action="append", default=[], metavar="RESOURCE")
    made.add_argument("--description", type=Path, help="file with the pull request's description")
    made.add_argument("--remarks", default="", help="Markdown for the top of the page")
    made.add_argument(
        "--failed", default="", metavar="WHY", help="the preview failed: what it said besides"
    )
    made.add_argument(
        "--drift", action="store_true", help="it is of `pulumi refresh --preview-only --json`"
    )
    made.add_argument("--limit", type=int, default=LIMIT, help="most characters of the page")
    made.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes the page; returns the exit code."""
    text = sys.stdin.read() if arguments.plan == "-" else Path(arguments.plan).read_text()
    try:
        plan = read(text)
    except Unreadable as error:
        reason = "\n\n".join(filter(None, [arguments.failed.strip()[-1500:], str(error)]))
        _write(_FAILED.format(stack=arguments.stack, reason=reason, docs=_docs()), arguments.out)
        return INCOMPLETE
    described = arguments.description.read_text() if arguments.description else ""
    gate = judge(plan, [*arguments.approve, *approvals_in(described)])
    made = page(
        plan,
        gate,
        stack=arguments.stack,
        remarks=arguments.remarks,
        docs=_docs(),
        drift=arguments.drift,
        limit=arguments.limit,
    )
    _write(made, arguments.out)
    if not gate.is_open:
        return DATA_LOSS
    unknown = any(step.change is Change.unknown for step in plan.steps)
    if plan.errors or unknown or arguments.failed:
        return INCOMPLETE
    return DRIFT if arguments.drift and plan.steps else OK


def _docs() -> str:
    """Where people find the page on changes: in this repository on its forge, if it has it."""
    server, project = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    if not Path(DOCS).is_file():
        return DOCS
    if server and project:
        return f"{server}/{project}/blob/HEAD/{DOCS}"
    if url := os.environ.get("CI_PROJECT_URL"):
        return f"{url}/-/blob/HEAD/{DOCS}"
    return DOCS


def _write(text: str, out: Path | None) -> None:
    if out:
        out.write_text(text)
    else:
        print(text)
