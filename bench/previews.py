"""What previews cost against one of an empty program: time, CPU and memory, in one run.

With the project's own stand-ins for the plugins of clouds and clusters, whose start counts too.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.checkout import Checkout
from tests.engine.clouds import CloudStack
from toolchain.plugins.cloud_standin import CLOUD

TITLE = "Previews"
ROUNDS = 5
ABOUT = f"""\
Each is run {ROUNDS} times, in turns with all the others, after one run that doesn't count. The
floor is `pulumi preview` of a program that makes nothing: Pulumi's engine, language host and SDK.
`pulumi preview` is that command alone, on a stack that is set up. `make preview … ALONE=1` copies
the checkout, makes a stack, checks the stack file, previews, and writes the report. CPU is of all
processes, memory of the largest one. Clouds and clusters are the project's stand-ins, started as
plugins are. Resources are counted without components and providers."""
CLOUDS = ("aws", "gcp", "openstack")
STACKS = ("kubernetes", "k3s-openstack", "eks", "gke", "openstack")
# In a process of its own, to which what its children leave behind comes: so nothing is forgotten.
_MEASURE = """
import ctypes, json, os, resource, subprocess, sys, time
BECOME_REAPER = 36
ctypes.CDLL(None).prctl(BECOME_REAPER, 1)
begun = time.monotonic()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
seconds = time.monotonic() - begun
try:
    while True:
        os.wait()
except ChildProcessError:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = used.ru_utime + used.ru_stime
print(json.dumps([seconds, cpu, used.ru_maxrss / 1024, done.returncode, done.stdout]))
"""


@dataclass(frozen=True)
class Cost:
    """Seconds, CPU seconds and MiB of the largest process of a run, or the medians of several."""

    seconds: float
    cpu: float
    memory: float

    def against(self, floor: Cost) -> str:
        """All numbers with their ratios to the floor's."""
        return (
            f"{self.seconds:.2f} s = {self.seconds / floor.seconds:.2f} x empty; "
            f"CPU {self.cpu:.2f} s = {self.cpu / floor.cpu:.2f} x; "
            f"{self.memory:.0f} MiB = {self.memory / floor.memory:.2f} x"
        )


@dataclass(frozen=True)
class Command:
    """What is run, and where."""

    words: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]

    def run(self) -> tuple[Cost, str]:
        """What it cost and what it printed; it has to work."""
        measured = subprocess.run(
            [sys.executable, "-c", _MEASURE, *self.words],
            cwd=self.folder,
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        *numbers, code, printed = json.loads(measured.stdout)
        if code:
            raise RuntimeError(f"{' '.join(self.words)} failed:\n{printed}")
        return Cost(*numbers), printed


def rows(folder: Path) -> list[tuple[str, str, str]]:
    """One line for each preview, and the floor."""
    stacks = [CloudStack(folder / cloud, cloud, 26 + n) for n, cloud in enumerate(CLOUDS)]
    for stack in stacks:
        stack.make("setup")
    empty = _preview(stacks[0], _empty(stacks[0], folder / "empty"), "empty")
    plain = [_preview(stack, stack.root, stack.stack) for stack in stacks]
    fork = _fork(folder / "fork")
    whole = [_whole(fork, name) for name in STACKS]
    resources = [_made(command.run()[1]) for command in whole]
    floor, *costs = _costs([empty, *plain, *whole])
    return [
        ("floor: `pulumi preview` of an empty program, p50", floor.against(floor), ""),
        *(
            (f"`pulumi preview` of the {cloud} stack, p50", cost.against(floor), "≤ 3.0")
            for cloud, cost in zip(CLOUDS, costs, strict=False)
        ),
        *(
            (
                f"`make preview STACK={name} ALONE=1`, p50",
                f"{cost.against(floor)}; {made} resources",
                "",
            )
            for name, cost, made in zip(STACKS, costs[len(CLOUDS) :], resources, strict=True)
        ),
    ]


def _costs(commands: list[Command]) -> list[Cost]:
    """Medians, in turns, so that whatever else the machine does meets them all."""
    rounds = [[command.run()[0] for command in commands] for _ in range(ROUNDS + 1)][1:]
    return [_median(list(runs)) for runs in zip(*rounds, strict=True)]


def _median(runs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu for run in runs),
        statistics.median(run.memory for run in runs),
    )


def _fork(folder: Path) -> Checkout:
    """A checkout with nothing but its files: no state, no secrets, no cluster, stand-in clouds."""
    made = Checkout(folder, "tfork", 24, {}, seeded=False)
    made.file.unlink()
    nowhere = {CLOUD: str(folder / "cloud"), "KUBECONFIG": str(folder / "no-kubeconfig")}
    made.environment |= nowhere
    return made


def _whole(fork: Checkout, name: str) -> Command:
    words = ("make", "--no-print-directory", "preview", f"STACK={name}", "ALONE=1")
    return Command(words, fork.root, fork.environment | {"STACK": name})


def _preview(stack: CloudStack, program: Path, name: str) -> Command:
    words = ("pulumi", "preview", "--non-interactive", "--stack", name)
    return Command(words, program, stack.environment | stack.shell)


def _made(report: str) -> int:
    """How many resources a report says; it leaves components and providers out."""
    found = re.search(r"Preview of stack `.*`: (\d+) to create", report)
    if found is None:
        raise RuntimeError(f"This is no report:\n{report}")
    return int(found[1])


def _empty(stack: CloudStack, program: Path) -> Path:
    """A program that makes nothing, and a stack for it."""
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (program / "__main__.py").write_text("import pulumi\n")
    Command(("pulumi", "stack", "init", "empty"), program, stack.environment | stack.shell).run()
    return program
