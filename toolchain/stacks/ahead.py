"""Images built while Pulumi is built: both take minutes."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import CancelledError, Future

from ..setup import python_env
from ..setup.engine import Engine
from ..setup.steps import Problem, run, step
from . import environment
from .stack import Stack


def build(stack: Stack, engine: Engine, own_plugin: Future[bool]) -> None:
    """Builds the images that the stack lacks, where this project's own plugin would build them.

    The vendor's plugin has another builder, with a cache of its own. Which of the two it will be
    is known when the vendor has answered: that is waited for. A build that fails here fails again
    when Pulumi asks for it, and is told then.
    """
    if not _is_ours(own_plugin):
        return
    lacking = [each for each in _builds(stack) if not engine.has_image(each["reference"])]
    if not lacking:
        return
    names = ", ".join(each["reference"].split("/")[-1].split(":")[0] for each in lacking)
    with step(f"Images {names}", counted=False) as current:
        words = [str(python_env.PYTHON), "-m", "toolchain.plugins.docker.ahead"]
        given = json.dumps({"host": f"unix://{engine.socket}", "builds": lacking})
        try:
            run(words, f"images {names}", cwd=stack.root, given=given)
            current.result = "built"
        except Problem:
            current.result = "not built yet"


def _is_ours(own_plugin: Future[bool]) -> bool:
    try:
        return own_plugin.result()
    except CancelledError:  # Pulumi can't be set up, which is told there
        return False


def _builds(stack: Stack) -> list[dict[str, str]]:
    done = subprocess.run(
        [str(python_env.PYTHON), "-m", "stacks.builds", stack.name],
        cwd=stack.root,
        env=os.environ | environment.certificates(),
        input=stack.text,
        capture_output=True,
        text=True,
        check=False,
    )
    return list(json.loads(done.stdout)) if done.returncode == 0 else []
