"""What a preview of each cloud stack costs, against one of an empty program: time and memory.

With the project's own stand-ins for the clouds' plugins, whose start counts too.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.engine.clouds import CloudStack

ROUNDS = 5
CLOUDS = ("aws", "gcp", "openstack")
EMPTY = "import pulumi\n"
# In a process of its own, whose children are then those of one preview: plugins, program, engine.
_MEASURE = (
    "import resource, subprocess, sys; subprocess.run(['bash', '-c', sys.argv[1]], check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
_PREVIEW = (
    'eval "$(make --no-print-directory env)" && cd {where} && '
    "pulumi preview --non-interactive --stack {stack} >/dev/null 2>&1"
)


def rows(folder: Path) -> list[tuple[str, str, str]]:
    """One line for each cloud, and the floor."""
    stacks = [CloudStack(folder / cloud, cloud, 26 + n) for n, cloud in enumerate(CLOUDS)]
    for stack in stacks:
        stack.make("setup")
    empty = _empty(stacks[0], folder / "empty")
    floor, floor_memory = _measured(stacks[0], empty, "empty")
    found = [("preview of an empty program, p50", f"{floor:.2f} s, {floor_memory:.0f} MiB", "")]
    for stack in stacks:
        seconds, memory = _measured(stack, stack.root, stack.stack)
        text = f"{seconds:.2f} s = {seconds / floor:.2f} x empty, largest process {memory:.0f} MiB"
        found.append((f"preview of the {stack.cloud_name} stack, p50", text, "≤ 3.0"))
    return found


def _empty(stack: CloudStack, program: Path) -> Path:
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (program / "__main__.py").write_text(EMPTY)
    _run(
        stack, f'eval "$(make --no-print-directory env)" && cd {program} && pulumi stack init empty'
    )
    return program


def _measured(stack: CloudStack, where: Path, name: str) -> tuple[float, float]:
    """Median seconds, and MiB of the largest process."""
    command = _PREVIEW.format(where=where, stack=name)
    settings, _ = _run(stack, 'eval "$(make --no-print-directory env)"')
    found = [_run(stack, command) for _ in range(ROUNDS + 1)][1:]
    seconds = statistics.median(took for took, _ in found) - settings
    return seconds, max(memory for _, memory in found)


def _run(stack: CloudStack, command: str) -> tuple[float, float]:
    """Runs it with the stack's environment; seconds, and MiB of the largest process."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, command],
        cwd=stack.root,
        env=stack.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return time.monotonic() - begun, int(done.stdout.split()[-1]) / 1024
