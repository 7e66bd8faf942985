"""What `up` would change, as a report, and whether data would be lost."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..setup import paths, pulumi_cli, python_env
from ..setup.steps import Problem, step
from . import pointing, quotas, stack_file
from .secret_config import readable
from .stack import Stack


@dataclass(frozen=True)
class Wishes:
    """How a preview is wanted.

    Attributes:
        diff: Pulumi's own text instead of the report.
        alone: without state, secrets and credentials, as a fork has none: everything is new.
        approve: names of resources that may be replaced or deleted, with commas.
        description: file with a pull request's description, which may approve, too.
        out: file for the report, beside the terminal.
    """

    diff: bool = False
    alone: bool = False
    approve: str = ""
    description: str = ""
    out: str = ""


Maker = Callable[[str, str], None]  # takes the report's file and the description's

_ALONE = (
    "**Made without this stack's state, secrets and credentials.** Everything shows as new, so "
    "this preview can't tell whether data would be replaced or deleted. Somebody with access has "
    "to look at a full preview before this is merged."
)


def show(name: str, wishes: Wishes) -> None:
    """Prints the report; fails when the preview failed or data would be lost."""
    python_env.ensure()
    found = pulumi_cli.ensure()
    with _stack(name, wishes) as stack:
        _ = stack.facts  # mistakes in the stack file come first
        remarks = [_ALONE] if wishes.alone else _known_beforehand(stack)
        if absent := _absent(stack, found):
            remarks.append(
                f"Not here: the official plugin for {', '.join(absent)}. This preview is made "
                "with the project's stand-in: what would be made is right, ids and look-ups are "
                "invented."
            )
        answer = stack.previewed("--diff" if wishes.diff else "--json")
        if wishes.diff:
            _print_diff(answer, remarks)
        else:
            verdict = report(stack, answer, remarks, wishes)
            if verdict:
                raise Problem(_VERDICTS[verdict])


def _known_beforehand(stack: Stack) -> list[str]:
    """What `up` would stop over or warn of, before Pulumi is asked."""
    state = stack.exported() or {}
    if engine := stack.engine:
        quotas.check(stack, engine, state)
    return [f"**Warning:** {found.text}." for found in pointing.beforehand(stack.facts, state)]


@contextmanager
def _stack(name: str, wishes: Wishes) -> Iterator[Stack]:
    if not wishes.alone:
        stack = Stack(name)
        stack.ensure()
        yield stack
        return
    if not stack_file.present(name).exists():
        stack_file.require(name)  # says so
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(name, _copy(Path(folder), name))
        stack.environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
        # The passphrase of a copy that is gone in a moment.
        own = {"PULUMI_BACKEND_URL": f"file://{folder}", "PULUMI_CONFIG_PASSPHRASE": "alone"}
        stack.environment.update(own)
        with step(f"Stack {name}", counted=False):
            # Nothing to look for: the folder is empty, and the copy has all secrets.
            stack.require("stack", "init")
        yield stack


def _copy(folder: Path, name: str) -> Path:
    """A checkout like this one, in which the stack file has no secrets that can't be read."""
    root = folder / "checkout"
    (root / "stacks").mkdir(parents=True)
    for path in paths.ROOT.iterdir():
        if path.name not in ("stacks", ".git", ".pulumi-jupyterhub"):
            (root / path.name).symlink_to(path)
    for path in (paths.ROOT / "stacks").iterdir():  # the catalogue is for making stacks
        if path.is_file() and not path.name.startswith("backend."):
            (root / "stacks" / path.name).write_bytes(path.read_bytes())
    stack_file.own(name, root).write_text(readable(stack_file.present(name).read_text()))
    return root


def _absent(stack: Stack, found: pulumi_cli.Pulumi) -> list[str]:
    has_docker = stack.facts["platform"] != "kubernetes"
    docker = ["docker"] if has_docker and found.own_docker_plugin else []
    absent = stack.absent_plugins
    own = [name for name in stack.plugins if stack.has_own_plugin(name)]
    return [*docker, *(name for name in stack.plugins if name in {*absent, *own})]


def _print_diff(answer: subprocess.CompletedProcess[str], remarks: list[str]) -> None:
    for remark in remarks:
        print(remark)
    print(answer.stdout)
    if answer.returncode:
        raise Problem(f"pulumi preview failed, see above. {answer.stderr.strip()}")


def report(
    stack: Stack,
    answer: subprocess.CompletedProcess[str],
    remarks: list[str],
    wishes: Wishes,
    *options: str,
) -> int:
    """Prints the report on what Pulumi answered; returns the report's exit code."""
    command = [str(python_env.PYTHON), "-m", "components", "preview-report", "--stack", stack.name]
    command += ["--remarks", "\n\n".join(remarks), *options]
    if answer.returncode:
        command += ["--failed", answer.stderr.strip() or "pulumi failed"]
    command += [word for n in wishes.approve.split(",") if n for word in ("--approve", n)]
    command += ["--description", wishes.description] if wishes.description else []
    made = subprocess.run(
        command,
        cwd=paths.ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        input=answer.stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    print(made.stdout, flush=True)
    if made.stderr:
        raise Problem(made.stderr.strip())
    if wishes.out:
        Path(wishes.out).write_text(made.stdout)
    return made.returncode


INCOMPLETE, DATA_LOSS = 1, 3  # components/preview_report/command.py
_VERDICTS = {
    INCOMPLETE: "The preview is not whole, see above.",
    DATA_LOSS: "Data would be lost, see above. On purpose: make preview REPLACE_OK=<resource>",
}
