"""A stack: its file, its facts, its state, and the `pulumi` that runs it."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from . import environment, paths, pulumi_cli, python_env
from .engine import Engine, local
from .progress import readable
from .secret_config import MAKERS, missing
from .steps import Problem, step


class Stack:
    """Everything that the commands need to know of one stack."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.deployment = f"jupyterhub-{name}"
        self.file = paths.ROOT / "stacks" / f"Pulumi.{name}.yaml"

    @functools.cached_property
    def environment(self) -> dict[str, str]:
        """The environment for `pulumi`."""
        found = pulumi_cli.find()
        if found is None:
            raise Problem("Pulumi isn't set up yet: run make setup.")
        return os.environ | environment.variables(found)

    @functools.cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the stack file says; all its mistakes in one report otherwise."""
        command = [str(python_env.PYTHON), "-m", "components.config", self.name]
        answer = subprocess.run(
            command,
            cwd=paths.ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            raise Problem(answer.stderr.strip())
        return dict(json.loads(answer.stdout))

    @property
    def engine(self) -> Engine | None:
        """The engine of this machine, or None where containers run on another one."""
        return engine_at(self.facts["docker"])

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `pulumi … --stack <this one>` and captures what it prints."""
        return subprocess.run(
            self._command(arguments), **self._surroundings, capture_output=True, check=False
        )

    def show(self, *arguments: str) -> bool:
        """Runs a long `pulumi` command, shows its progress, says whether it worked."""
        process = subprocess.Popen(
            self._command((*arguments, "--color", "never")),
            **self._surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout is not None
        for line in readable(process.stdout):
            print(line, flush=True)
        return process.wait() == 0

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return ["pulumi", *arguments, "--stack", self.name, "--non-interactive"]

    @property
    def _surroundings(self) -> dict[str, Any]:
        stdin = subprocess.DEVNULL
        return {"cwd": paths.ROOT, "env": self.environment, "text": True, "stdin": stdin}

    def require(self, *arguments: str) -> str:
        """The output of a `pulumi` command that has to work."""
        answer = self.pulumi(*arguments)
        if answer.returncode:
            raise Problem(
                f"pulumi {arguments[0]}: {answer.stderr.strip() or answer.stdout.strip()}"
            )
        return answer.stdout

    def exported(self) -> dict[str, Any] | None:
        """The state, or None for a stack that doesn't exist yet."""
        answer = self.pulumi("stack", "export")
        if answer.returncode == 0:
            return dict(json.loads(answer.stdout))
        if "no stack named" in answer.stderr:
            return None
        raise Problem(f"The state can't be read: {answer.stderr.strip()}")

    def ensure(self) -> dict[str, Any]:
        """Makes the stack and its secrets where they are missing; returns its state."""
        if not self.file.exists():
            raise Problem(f"There is no {self.file.relative_to(paths.ROOT)}.{_others()}")
        state = self.exported()
        if state is None:
            with step(f"Stack {self.name}"):
                self._initialise()
            state = self.exported() or {}
        absent = missing(self.file)
        if absent:
            with step("Secrets") as current:
                self._make_secrets(absent)
                current.result = f"made once, encrypted in stacks/{self.file.name}"
        return state

    def _initialise(self) -> None:
        # `stack init` would write a new salt over the one that the file's secrets need.
        answer = self.pulumi("stack", "init")
        if answer.returncode:
            raise Problem(f"pulumi stack init: {answer.stderr.strip()}")

    def _make_secrets(self, names: list[str]) -> None:
        values = {name: MAKERS[name]() for name in names} | self._from_outputs(names)
        arguments = []
        for name, value in values.items():
            arguments += ["--secret", f"jupyterhub:secrets.{name}={value}"]
        self.require("config", "set-all", "--path", *arguments)

    def _from_outputs(self, names: list[str]) -> dict[str, str]:
        """Passwords of a hub whose stack file was lost: people still know them."""
        outputs = self.outputs()
        return {name: str(outputs[name]) for name in names if outputs.get(name)}

    def outputs(self) -> dict[str, Any]:
        """All outputs, secrets in plain text."""
        answer = self.pulumi("stack", "output", "--json", "--show-secrets")
        return dict(json.loads(answer.stdout)) if answer.returncode == 0 else {}


def engine_at(host: str) -> Engine | None:
    """An engine of this machine, or None for one behind ssh."""
    if not host.startswith("unix://"):
        return None
    return local() if host == "unix:///var/run/docker.sock" else Engine(host)


def _others() -> str:
    names = sorted(p.name.split(".")[1] for p in (paths.ROOT / "stacks").glob("Pulumi.*.yaml"))
    return f" Stacks here: {', '.join(names)}." if names else ""
