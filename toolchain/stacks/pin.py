"""Puts a published image's digest into a stack file, by Pulumi's own editor of such files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from ..setup import paths, python_env
from ..setup.steps import Problem
from . import stack_file
from .stack import Stack

_REFERENCE = re.compile(r"[a-z0-9][\w./:-]*@sha256:[0-9a-f]{64}")


def pin(name: str, image: str, reference: str) -> None:
    """Makes a stack take the image instead of building it. Comments in the file stay."""
    if not _REFERENCE.fullmatch(reference):
        raise Problem(
            f"REFERENCE is {reference!r}; allowed: a name with a digest, like "
            "ghcr.io/you/hubs/notebook@sha256:<64 hex digits>"
        )
    file = stack_file.present(name)
    if not file.exists():
        stack_file.require(name)  # says so
    settings = _settings(file, image, reference)
    if not settings:
        print(f"Stack {name} does not use images/{image}: nothing to do.")
        return
    with tempfile.TemporaryDirectory() as folder:
        _edit(Stack(name), file, settings, Path(folder))
    print(f"{file.relative_to(paths.ROOT)}: images/{image} is {reference}")


def _settings(file: Path, image: str, reference: str) -> list[tuple[str, str | None]]:
    done = subprocess.run(
        [str(python_env.PYTHON), "-m", "stacks.pin", str(file), image, reference],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Problem(done.stderr.strip())
    return [(path, value) for path, value in json.loads(done.stdout)]


def _edit(stack: Stack, file: Path, settings: list[tuple[str, str | None]], folder: Path) -> None:
    """Pulumi wants a stack to edit its file: one that nobody else sees does."""
    (folder / "Pulumi.yaml").write_text("name: jupyterhub\nruntime: python\n")
    environment = stack.environment | {
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE": "of no use to anybody",
    }
    environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

    def pulumi(*words: str) -> None:
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Problem(f"pulumi {words[0]}: {done.stderr.strip()}")

    # An edit of a copy, put in place at once: a killed one leaves the file as it was.
    copy = folder / "edited.yaml"
    copy.write_bytes(file.read_bytes())
    pulumi("stack", "init", stack.name)
    for path, value in settings:
        options = ("--path", "--config-file", str(copy), "--stack", stack.name)
        if value is None:
            pulumi("config", "rm", *options, path)
        else:
            pulumi("config", "set", *options, path, value)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.write_bytes(copy.read_bytes())
    partial.replace(file)
