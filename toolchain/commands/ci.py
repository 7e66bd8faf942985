"""What the workflows on GitHub and GitLab run. Each job is one command."""

from __future__ import annotations

import os
import subprocess
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import IO

from ..setup import paths, pulumi_cli, python_env
from ..setup.steps import Problem
from ..stacks import converge, drift, environment, pin, preview, pulled, stack_file, touched


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("what", choices=("preview", "up", "drift", "digests", "pulled"))
    parser.add_argument("--base", default="", help="preview only what changed since then")


def run(given: Namespace) -> None:
    """Runs it."""
    match given.what:
        case "preview":
            show_preview(given.stack, given.base)
        case "up":
            up(given.stack)
        case "drift":
            check_drift(given.stack)
        case "digests":
            propose_digests()
        case "pulled":
            print("\n".join(pulled.references()))


def show_preview(name: str, base: str = "") -> None:
    """The preview report, as the one comment on the pull request; fails where it is red.

    With `base`, only of a stack that the change since then touches.
    """
    if base and name not in touched.since(base):
        print(f"Stack {name} is not touched by this change: no preview.")
        return
    _prepare()
    alone = not _knows_the_stack(name)
    _report(
        f"preview-{name}",
        lambda out, described: preview.show(
            name, preview.Wishes(alone=alone, description=described, out=out)
        ),
    )


def up(name: str) -> None:
    """The gate once more, for the state may have changed since the review; then `make up`."""
    if not _knows_the_stack(name):
        raise Problem(_NO_STATE.format(name))
    _prepare()
    with tempfile.TemporaryDirectory() as folder:
        preview.show(name, preview.Wishes(description=_description(Path(folder))))
    converge.up(name)


def check_drift(name: str) -> None:
    """What differs from the state, as one issue that is opened, updated or closed."""
    if not _backend(name):
        print(f"Stack {name} is not deployed from here (no stacks/backend.{name}).")
        return
    if not _knows_the_stack(name):
        raise Problem(_NO_STATE.format(name))
    _prepare()
    file = paths.ROOT / f"drift-{name}.md"
    found = drift.show(name, str(file))
    title = f"Stack {name} is not what its state says"
    words = ["issue", str(file), "--marker", f"drift-{name}", "--title", title]
    if _run(*words, *([] if found else ["--close"])):
        raise Problem("The issue could not be written, see above.")


def propose_digests() -> None:
    """A pull request that puts the references in `references/` into the stack files."""
    _prepare()
    files = sorted((paths.ROOT / "references").glob("*"))
    if not files:
        raise Problem("There is no references/<image>: make publish … OUT=references/<image>")
    for file in files:
        for stack in touched.platforms():
            pin.pin(stack, file.name, file.read_text().strip())
    title = "New images"
    text = "Made by CI: " + ", ".join(f"`{file.read_text().strip()}`" for file in files)
    stacks = map(stack_file.present, touched.platforms())
    changed = [str(file.relative_to(paths.ROOT)) for file in stacks]
    words = ("--branch", "images", "--title", title, "--text", text)
    if _run("propose", *changed, *words):
        raise Problem("The pull request could not be made, see above.")


_NO_STATE = (
    "Stack {0} has no state that CI can reach, or no passphrase. Move its state to a bucket "
    "(make backend STACK={0} URL=s3://…), commit stacks/backend.{0}, and give CI the passphrase as "
    "PULUMI_CONFIG_PASSPHRASE: docs/pull-requests.md"
)


def _knows_the_stack(name: str) -> bool:
    """Whether this run has the stack's state and can read its secrets: a fork's has neither."""
    passphrase = any(os.environ.get(f"PULUMI_CONFIG_PASSPHRASE{x}") for x in ("", "_FILE"))
    return bool(passphrase and _backend(name))


def _backend(name: str) -> str | None:
    return environment.backend_of(name) or os.environ.get("PULUMI_BACKEND_URL") or None


def _prepare() -> None:
    python_env.ensure()
    pulumi_cli.ensure()


def _report(marker: str, make: preview.Maker) -> None:
    file = paths.ROOT / f"{marker}.md"
    file.unlink(missing_ok=True)
    problem: Problem | None = None
    with tempfile.TemporaryDirectory() as folder:
        try:
            make(str(file), _description(Path(folder)))
        except Problem as found:
            problem = found
            if not file.exists():
                file.write_text(f"### ❌ {marker}: no plan\n\n```\n{found}\n```\n")
    failed = _run("comment", str(file), "--marker", marker)
    if problem:
        raise problem
    if failed:
        raise Problem("The comment could not be written, see above.")


def _description(folder: Path) -> str:
    """File with the pull request's description, which may approve what the gate would stop."""
    file = folder / "description.md"
    with file.open("w") as out:
        _run("description", stdout=out)
    return str(file)


def _run(*words: str, stdout: IO[str] | None = None) -> int:
    command = [str(python_env.PYTHON), "-m", "components", *words]
    return subprocess.run(command, cwd=paths.ROOT, stdout=stdout, check=False).returncode
