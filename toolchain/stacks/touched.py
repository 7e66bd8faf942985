"""Which stacks a change is about: what CI previews on a pull request."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable

from ..setup import paths
from ..setup.steps import Problem
from . import stack_file

# What every stack is made from. Docs, tests, examples and tools change no stack.
_EVERYTHING = re.compile(
    r"(components/.*|stacks/\w+\.py|images/.*|__main__\.py|Pulumi\.yaml|requirements[\w-]*\.(?:txt|lock))"
)
_ONE_STACK = re.compile(
    r"stacks/(?:Pulumi\.(?P<file>.+)\.yaml|catalogue/(?P<entry>.+)\.yaml|backend\.(?P<backend>.+))"
)
# A component's file for one platform: components/cloud_vm/gcp.py, …/machine_types/aws.csv.
_ONE_PLATFORM = re.compile(r"components/.*/(?P<platform>aws|gcp|openstack|kubernetes)\.(?:py|csv)")


def since(base: str) -> list[str]:
    """Names of the stacks that the change since `base` is about."""
    return touched(_changed(base), platforms())


def touched(files: Iterable[str], stacks: dict[str, str]) -> list[str]:
    """Names of the stacks that a change of these files is about; `stacks` gives their platforms."""
    found: set[str] = set()
    for file in files:
        if match := _ONE_STACK.fullmatch(file):
            found.add(match["file"] or match["entry"] or match["backend"])
        elif match := _ONE_PLATFORM.fullmatch(file):
            found.update(n for n, platform in stacks.items() if platform == match["platform"])
        elif _EVERYTHING.fullmatch(file):
            found.update(stacks)
    return sorted(found & set(stacks))  # a deleted stack file is nobody's stack


def platforms() -> dict[str, str]:
    """The platform of each stack that can be brought up here."""
    return {name: stack_file.platform(name) for name in stack_file.names()}


def _changed(base: str) -> list[str]:
    if not base:
        raise Problem("Which change? make touched BASE=origin/main")
    command = ["git", "diff", "--name-only", f"{base}...HEAD"]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem(
            f"git can't compare with {base}: {done.stderr.strip()}. Fetch it with its history "
            "first (fetch-depth: 0 on GitHub, GIT_DEPTH: 0 on GitLab)."
        )
    return done.stdout.splitlines()
