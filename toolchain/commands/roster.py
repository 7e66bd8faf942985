"""Names that may log in: prints, adds, removes them, gives them new first passwords."""

from __future__ import annotations

import csv
import io
import json
import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..setup import paths
from ..setup.engine import Engine
from ..setup.steps import Problem
from ..stacks import cluster, converge
from ..stacks.machine import Machine
from ..stacks.stack import Stack, existing


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    for option in ("--add", "--remove", "--reset"):
        parser.add_argument(option, default="", metavar="NAMES")
    parser.add_argument("--sheet", default="", metavar="FILE", help="a page to print and cut")


def run(given: Namespace) -> None:
    """Runs it."""
    edit(given.stack, given.add, given.remove, given.reset, given.sheet)


def edit(name: str, add: str, remove: str, reset: str, sheet: str) -> None:
    """Changes the roster where asked to, then prints names and first passwords."""
    stack, _ = existing(name)
    kind = stack.facts["login"]
    if kind in ("oidc", "lti13") and reset:
        for each in _names(reset):
            _in_hub(stack, "free", each)
        return
    if kind not in ("roster", "signup"):
        raise Problem(
            f"This hub has no roster: set jupyterhub:hub.login.kind in stacks/{stack.file.name}."
        )
    if add or remove:
        _change_roster(stack, _names(add), _names(remove))
    for each in _names(reset):
        _in_hub(stack, "reset", each)
    if sheet:
        Path(sheet).write_text(_said_in_hub(stack, "sheet"))
        print(f"  ✓ {sheet}: open it in a browser, print, cut")
    elif not reset:
        _in_hub(stack, "list")


def _change_roster(stack: Stack, add: list[str], remove: list[str]) -> None:
    """In the stack file, and over what was changed on the class page."""
    if stack.facts["login"] != "roster":
        raise Problem("With `signup` people add themselves; the class page lets them in or out.")
    _change(stack, add, remove)
    converge.up(stack.name)
    for action, names in (("add", add), ("remove", remove)):
        for each in names:
            _in_hub(stack, action, each)


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _change(stack: Stack, add: list[str], remove: list[str]) -> None:
    """Writes the new names; a name that isn't allowed leaves everything as it was."""
    listed = stack.facts["login_file"]
    table = paths.ROOT / listed if listed else None
    before = {file: file.read_bytes() for file in (stack.file, table) if file}
    try:
        if table:
            _change_table(table, add, remove)
        _change_config(stack, [] if table else add, remove)
        Stack(stack.name).facts  # noqa: B018  # validates what was written
    except Problem:
        for file, content in before.items():
            file.write_bytes(content)
        raise


def _change_config(stack: Stack, add: list[str], remove: list[str]) -> None:
    login = json.loads(stack.require("config", "get", "jupyterhub:hub"))["login"]
    present = [str(user) for user in login.get("users") or []]
    wanted = changed(present, add, remove)
    if wanted == present:
        return
    for index in range(len(wanted), len(present)):  # what is left over at the end, last first
        last = len(present) - 1 - (index - len(wanted))
        stack.require("config", "rm", "--path", f"jupyterhub:hub.login.users[{last}]")
    for index, user in enumerate(wanted):
        if index >= len(present) or present[index] != user:
            key = f"jupyterhub:hub.login.users[{index}]"
            # A type, because a name like 2026 would become a number.
            stack.require("config", "set", "--path", "--type", "string", key, user)


def changed(present: list[str], add: list[str], remove: list[str]) -> list[str]:
    """The names in their order, without the removed ones, with the added ones once."""
    kept = [name for name in present if name not in remove]
    return list(dict.fromkeys([*kept, *add]))


def _change_table(file: Path, add: list[str], remove: list[str]) -> None:
    text = changed_table(file.read_text(encoding="utf-8-sig"), add, remove)
    partial = file.with_name(f"{file.name}.new")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)


def changed_table(text: str, add: list[str], remove: list[str]) -> str:
    """The CSV text without the removed names' lines, with a line for each added name."""
    rows = list(csv.reader(io.StringIO(text)))
    kept = [row for row in rows if not (row and row[0].strip() in remove)]
    present = {row[0].strip() for row in kept if row}
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        [*kept, *([name] for name in dict.fromkeys(add) if name not in present)]
    )
    return out.getvalue()


def _in_hub(stack: Stack, *arguments: str) -> None:
    print(_said_in_hub(stack, *arguments), end="")


def _said_in_hub(stack: Stack, *arguments: str) -> str:
    words = ["python3", "-m", "hubkit.accounts", *arguments]
    if stack.is_in_cluster:
        code, text = _in_cluster(stack, words)
    else:
        engine = stack.engine
        code, text = _here(stack, engine, words) if engine else _there(stack, words)
    if code:
        raise Problem(text.strip())
    return text


def _in_cluster(stack: Stack, words: list[str]) -> tuple[int, str]:
    with cluster.way(stack) as way:
        done = way.run("exec", cluster.HUB, "--", *words)
        return done.returncode, cluster.said(done.stderr) if done.returncode else done.stdout


def _here(stack: Stack, engine: Engine, words: list[str]) -> tuple[int, str]:
    hubs = engine.containers(stack.deployment, role="hub")
    if not hubs or hubs[0]["State"] != "running":
        raise Problem("The hub isn't running: make up")
    return engine.execute(hubs[0]["Id"], words)


def _there(stack: Stack, words: list[str]) -> tuple[int, str]:
    known = Machine.of(stack.exported() or {})
    if known is None:
        raise Problem(f"The hub has no machine yet: make up STACK={stack.name}")
    done = known.run(f"docker exec {stack.deployment}-hub {shlex.join(words)}", seconds=120)
    return done.returncode, (done.stdout + done.stderr).decode()
