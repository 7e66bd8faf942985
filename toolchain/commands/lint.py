"""No secret in a tracked file, ruff, mypy in strict mode, hadolint."""

from __future__ import annotations

import subprocess
from argparse import Namespace

from ..setup import paths, python_env
from ..setup.steps import Problem
from ..stacks import tracked_secrets


def run(given: Namespace) -> None:
    """Runs it."""
    if found := list(tracked_secrets.faults()):  # first: it takes no time and must not be missed
        raise Problem("\n".join(found))
    python_env.ensure(developer=True)
    dockerfiles = sorted(str(path) for path in paths.ROOT.glob("images/*/Dockerfile"))
    for words in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["hadolint", *dockerfiles],
    ):
        if subprocess.run([paths.VENV / "bin" / words[0], *words[1:]], check=False).returncode:
            raise Problem(f"{' '.join(words)} found something, see above.")
