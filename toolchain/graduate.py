"""Moves a class from one hub to another: first said, then done, the old hub left as it is."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import commands, vm
from .engine import Engine
from .machine import Machine
from .stack import Stack
from .steps import Problem, step

_INSIDE = ("python3", "-m", "hubkit.graduation")


@dataclass(frozen=True)
class Door:
    """The way into a hub's container: the words before a command that runs there."""

    name: str
    words: tuple[str, ...]
    by_ssh: bool = False

    def command(self, *arguments: str) -> list[str]:
        """The words of a command of `hubkit.graduation` there."""
        inside = [*_INSIDE, *arguments]
        return [*self.words, shlex.join(inside)] if self.by_ssh else [*self.words, *inside]

    def ask(self, *arguments: str, given: str = "") -> str:
        """What a command there prints."""
        done = subprocess.run(
            self.command(*arguments), input=given, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Problem(f"The hub of {self.name} says: {_last(done.stderr)}")
        return done.stdout


@contextmanager
def door(stack: Stack) -> Iterator[Door]:
    """The way into a stack's hub, wherever it is."""
    hub = f"{stack.deployment}-hub"
    if stack.facts["platform"] == "kubernetes":
        with _kubectl(stack) as words:
            yield Door(stack.name, words)
    elif isinstance(engine := stack.engine, Engine):
        host = ("-H", f"unix://{engine.socket}")
        yield Door(stack.name, ("docker", *host, "exec", "-i", hub))
    else:
        known = Machine.of(stack.exported() or {})
        if known is None:
            raise Problem(f"The hub has no machine yet: make up STACK={stack.name}")
        vm.bring_key(stack, known)
        yield Door(stack.name, (*known.command, f"docker exec -i {hub}"), by_ssh=True)


@contextmanager
def _kubectl(stack: Stack) -> Iterator[tuple[str, ...]]:
    """Words that run something in the hub's pod, with the stack's own way into the cluster."""
    told = stack.outputs()
    with tempfile.NamedTemporaryFile("w", suffix=".kubeconfig") as file:  # 0600
        file.write(str(told["kubeconfig"]))
        file.flush()
        namespace = str(told.get("namespace") or stack.deployment)
        way = ("kubectl", "--kubeconfig", file.name, "--namespace", namespace)
        yield (*way, "exec", "-i", "deployment/hub", "--")


def graduate(source: str, target: str, go: bool) -> None:
    """Says what would be moved; with `go`, moves it. The same again goes on where it stopped."""
    if not source or not target or source == target:
        raise Problem("Name two stacks: make graduate FROM=class TO=facility")
    old, new = (commands.existing(name)[0] for name in (source, target))
    with door(old) as away, door(new) as here:
        told = json.loads(away.ask("export"))
        folders = json.loads(away.ask("folders"))
        print(f"  {len(folders)} homes from {source} to {target}:")
        homes = list(_homes(away, here, folders))
        if not go:
            print(
                "Nothing was changed. People should have stopped their servers on "
                f"{source}. To do it: make graduate FROM={source} TO={target} GO=1"
            )
            return
        with step("Users, groups, roster"):
            here.ask("import", given=json.dumps(told))
        left = [home.name for home in homes if not move(away, here, home)]
    _tell(source, target, left)


@dataclass(frozen=True)
class Home:
    """Somebody's home on the old hub, and what is in it."""

    name: str
    folder: str
    known: dict[str, Any]


def _homes(away: Door, here: Door, folders: Mapping[str, str]) -> Iterator[Home]:
    """Every home that there is; prints how it stands."""
    for name, folder in folders.items():
        before, after = (json.loads(door.ask("inventory", folder)) for door in (away, here))
        if before is None:
            state = "has no home"
        elif after is None:
            state = f"{before['files']} files, {before['bytes'] / 1e6:.1f} MB"
        else:
            state = "is there already" if before == after else "DIFFERS on the new hub"
        print(f"    {name}: {state}", flush=True)
        if before is not None:
            yield Home(name, folder, before)


def move(away: Door, here: Door, home: Home) -> bool:
    """Copies a home and compares; whether both are the same now."""
    with step(f"Home of {home.name}", counted=False) as current:
        if json.loads(here.ask("inventory", home.folder)) == home.known:
            current.result = "is there already"
            return True
        if problem := _copy(away, here, home.folder):
            current.result = problem
            return False
        before, after = (json.loads(door.ask("inventory", home.folder)) for door in (away, here))
        if before != after:
            current.result = "was changed meanwhile: its server runs on the old hub"
            return False
        current.result = f"{after['files']} files, same checksum"
        return True


def _copy(away: Door, here: Door, folder: str) -> str | None:
    """Streams a home from one hub to the other; the reason where that failed."""
    with subprocess.Popen(away.command("pack", folder), stdout=subprocess.PIPE) as packing:
        done = subprocess.run(
            here.command("unpack", folder), stdin=packing.stdout, capture_output=True, check=False
        )
    return _last(done.stderr.decode(errors="replace")) if done.returncode else None


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["nothing"])[-1]


def _tell(source: str, target: str, left: list[str]) -> None:
    if left:
        raise Problem(
            f"Not moved: {', '.join(left)}, see above. The rest is done; the old hub is as it was. "
            "The same command goes on from here."
        )
    print(
        f"Everything is on {target}. {source} is as it was, for as long as you want it: "
        f"make down STACK={source} stops it and keeps its data."
    )
