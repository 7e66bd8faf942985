"""Where the state of a cloud stack is kept: not on one person's computer."""

from __future__ import annotations

import json
import subprocess
from argparse import ArgumentParser, Namespace

from ..setup import paths
from ..setup.steps import Problem, step
from ..stacks import environment
from ..stacks.stack import Stack

_HELP = (
    "Give the address of a bucket that exists, or of another Pulumi backend:\n"
    "  make backend STACK={0} URL=s3://my-bucket?region=eu-central-1\n"
    "  make backend STACK={0} URL=gs://my-bucket\n"
    "  make backend STACK={0} URL='s3://my-bucket?endpoint=https://s3.mycloud.org&s3ForcePathStyle=true'\n"
    "How to make a bucket: docs/backends.md"
)


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--url", default="", help="s3://…, gs://…, or another Pulumi backend")


def run(given: Namespace) -> None:
    """Runs it."""
    move(given.stack, given.url)


def move(name: str, url: str) -> None:
    """Moves a stack's state; the old one is kept under another name until the new one reads."""
    if "://" not in url:
        raise Problem(_HELP.format(name))
    stack = Stack(name)
    stack.require_file()
    state = stack.exported()
    with step(f"Opening {url.split('?')[0]}", counted=False):
        _require(stack, url, "stack", "ls", "--json")
    if state is not None:
        with step("Moving the state", counted=False) as current:
            _require(stack, url, "stack", "init", name, allowed="already exists")
            _require(stack, url, "stack", "import", "--stack", name, given=json.dumps(state))
            moved = json.loads(_require(stack, url, "stack", "export", "--stack", name))
            count = len(moved["deployment"].get("resources") or [])
            current.result = f"{count} resources; the old copy stays where it was"
    file = environment.backend_file(name)
    file.write_text(url + "\n")
    print(f"State of {name}: {url}")
    print("So that colleagues and CI use it, commit both (git ignores own stack files until then):")
    print(f"  git add -f stacks/{file.name} stacks/{stack.file.name}")
    print(f"They also need the passphrase of the secrets: {paths.data() / 'passphrase'}")


def _require(stack: Stack, url: str, *words: str, given: str = "", allowed: str = "") -> str:
    answer = subprocess.run(
        ["pulumi", *words, "--non-interactive"],
        cwd=paths.ROOT,
        env=stack.environment | {"PULUMI_BACKEND_URL": url},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode and not (allowed and allowed in answer.stderr):
        raise Problem(f"{url} can't be used: {answer.stderr.strip()}\n{_HELP.format(stack.name)}")
    return answer.stdout
