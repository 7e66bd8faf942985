"""A stack: its file, its facts, its state, and the `pulumi` that runs it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..plugins.cloud_standin import CLOUD
from ..setup import paths, provider_plugins, pulumi_cli, python_env
from ..setup.engine import Engine, local
from ..setup.steps import Problem, lock, step
from . import environment, last_good, stack_file
from .progress import readable
from .secret_config import MAKERS, completed, missing
from .state import resources, secrets_in_use

# Pulumi takes each of its options from the shell, too: protection ends by `make purge` only.
_IGNORE_PROTECT = "PULUMI_OPTION_IGNORE_PROTECT"


class Stack:
    """Everything that the commands need to know of one stack."""

    def __init__(self, name: str, root: Path = paths.ROOT) -> None:
        self.name = name
        self.deployment = f"jupyterhub-{name}"
        self.root = root
        self.file = stack_file.own(name, root)
        self.shown: list[str] = []  # what the last `show` printed

    @functools.cached_property
    def environment(self) -> dict[str, str]:
        """The environment for `pulumi`."""
        found = os.environ | environment.variables(self._pulumi)
        if shared := environment.backend_of(self.name):
            found["PULUMI_BACKEND_URL"] = shared
        if self.has_standin_cloud:
            found["PATH"] = f"{provider_plugins.STANDINS}:{found['PATH']}"
        found.pop(_IGNORE_PROTECT, None)
        return found

    @property
    def _pulumi(self) -> pulumi_cli.Pulumi:
        found = pulumi_cli.find()
        if found is None:
            raise Problem("Pulumi isn't set up yet: run make setup.")
        return found

    @property
    def program(self) -> Path:
        """The `pulumi` that is used."""
        return self._pulumi.program

    @property
    def has_standin_cloud(self) -> bool:
        """Whether this is a test, with a cloud in a file."""
        return bool(os.environ.get(CLOUD))

    @property
    def cloud(self) -> str | None:
        """The cloud's name, None where the hub runs on a machine that exists."""
        found = self.facts["cloud"]
        return None if found is None else str(found)

    @property
    def is_in_cluster(self) -> bool:
        """Whether the hub runs in a Kubernetes cluster."""
        return bool(self.facts["platform"] == "kubernetes")

    @property
    def plugins(self) -> list[str]:
        """Plugins that its resources need besides docker's: the cloud's, kubernetes."""
        return list(map(str, self.facts["plugins"]))

    @property
    def absent_plugins(self) -> list[str]:
        """Those that are not here and could not be got now either.

        The official ones; where that can't be had, this project's for a cluster does the same.
        """
        if self.has_standin_cloud:
            return self.plugins
        installed = {name: provider_plugins.install(self.program, name) for name in self.plugins}
        return [n for n, there in installed.items() if not (there or self.has_own_plugin(n))]

    def has_own_plugin(self, name: str) -> bool:
        """Whether this project's own plugin serves the stack's cluster."""
        return name == "kubernetes" and self._pulumi.own_kubernetes_plugin

    @property
    def text(self) -> str:
        """The stack file's text, with invented values for secrets that the commands will make."""
        return completed(stack_file.require(self.name, self.root).read_text())

    @functools.cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the stack file says; all its mistakes in one report otherwise."""
        command = [str(python_env.PYTHON), "-m", "components.config", self.name, "-"]
        answer = subprocess.run(
            command,
            cwd=self.root,
            env=os.environ | environment.certificates(),  # Pulumi isn't needed, nor there at first
            input=self.text,
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

    def pulumi(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Runs `pulumi … --stack <this one>` and captures what it prints."""
        return subprocess.run(
            self._command(arguments),
            **self._surroundings,
            input=given,
            capture_output=True,
            check=False,
        )

    def show(self, *arguments: str) -> bool:
        """Runs a long `pulumi` command, shows its progress, says whether it worked."""
        process = subprocess.Popen(
            self._command((*arguments, "--color", "never")),
            **self._surroundings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout is not None
        self.shown = []
        try:
            for line in readable(process.stdout):
                self.shown.append(line)
                print(line, flush=True)
        except KeyboardInterrupt:  # pulumi got it, too: it ends what it is at and keeps its state
            print("  … ending", flush=True)
            process.communicate()
            raise
        return process.wait() == 0

    def previewed(self, form: str) -> subprocess.CompletedProcess[str]:
        """What `pulumi preview` says; with the stand-in where the official plugin isn't here."""
        surroundings = self._surroundings
        if self.absent_plugins:
            path = f"{provider_plugins.STANDINS}:{self.environment['PATH']}"
            surroundings["env"] = self.environment | {"PATH": path}
        return subprocess.run(
            self._command(("preview", form, "--color", "never")),
            **surroundings,
            capture_output=True,
            check=False,
        )

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return ["pulumi", *arguments, "--stack", self.name, "--non-interactive"]

    @property
    def _surroundings(self) -> dict[str, Any]:
        return {"cwd": self.root, "env": self.environment, "text": True}

    def require(self, *arguments: str, given: str = "") -> str:
        """The output of a `pulumi` command that has to work; `given` is its standard input."""
        answer = self.pulumi(*arguments, given=given)
        if answer.returncode:
            raise Problem(
                f"pulumi {arguments[0]}: {answer.stderr.strip() or answer.stdout.strip()}"
            )
        return answer.stdout

    def exported(self) -> dict[str, Any] | None:
        """The state, or None for a stack that doesn't exist yet."""
        answer = self.pulumi("stack", "export")
        if answer.returncode and last_good.bring_back(self._backend, self.name):
            with step("State, which wasn't whole any more", counted=False) as current:
                current.result = "as it last was; what came after is found by its labels"
            answer = self.pulumi("stack", "export")
        if answer.returncode == 0:
            self.keep_copy()
            return dict(json.loads(answer.stdout))
        if "no stack named" in answer.stderr:
            return None
        raise Problem(f"The state can't be read: {answer.stderr.strip()}")

    def keep_copy(self) -> None:
        """Keeps the state as it is now, should a full disk take it."""
        last_good.keep(self._backend, self.name)

    @property
    def _backend(self) -> str:
        return self.environment.get("PULUMI_BACKEND_URL", "")

    def require_file(self) -> None:
        """Makes the file from its template at first use; stops where there is no such stack."""
        stack_file.require(self.name, self.root)

    def ensure(self) -> dict[str, Any]:
        """Makes the stack and its secrets where they are missing; returns its state."""
        self.require_file()
        state = self.exported()
        if state is None:
            with step(f"Stack {self.name}", counted=False):
                self._initialise()
            self.keep_copy()
            state = {}
        absent = missing(self.file)
        if absent:
            with step("Secrets", counted=False) as current:
                self._make_secrets(absent, state)
                current.result = f"made once, encrypted in stacks/{self.file.name}"
        return state

    def _initialise(self) -> None:
        answer = self.pulumi("stack", "init")
        if "incorrect passphrase" in answer.stderr:
            raise Problem(
                f"The secrets in stacks/{self.file.name} were made with another passphrase: ask "
                f"who made them for it, put it into {paths.data() / 'passphrase'} (or set "
                "PULUMI_CONFIG_PASSPHRASE), and run the same command again."
            )
        if answer.returncode:
            raise Problem(f"pulumi stack init: {answer.stderr.strip()}")

    def _make_secrets(self, names: list[str], state: dict[str, Any]) -> None:
        known = self._secrets_in_use() if resources(state) else {}
        for name in names:
            value = known.get(name) or MAKERS[name]()
            # By standard input: everybody on a machine can read the words of a command.
            key = ("--secret", "--path", f"jupyterhub:secrets.{name}")
            self.require("config", "set", *key, given=value)

    def _secrets_in_use(self) -> dict[str, str]:
        """Secrets of a hub whose stack file was lost: people know its passwords."""
        state = json.loads(self.require("stack", "export", "--show-secrets"))
        return secrets_in_use(state)

    def outputs(self) -> dict[str, Any]:
        """All outputs, secrets in plain text."""
        answer = self.pulumi("stack", "output", "--json", "--show-secrets")
        return dict(json.loads(answer.stdout)) if answer.returncode == 0 else {}


def existing(name: str) -> tuple[Stack, dict[str, Any]]:
    """A stack that was set up, and its state."""
    stack = Stack(name)
    state = stack.exported() if stack.file.exists() else None
    if state is None:
        raise Problem(f"There is no stack {name} yet: make up STACK={name}")
    return stack, state


def alone(name: str) -> contextlib.AbstractContextManager[None]:
    """Lets one command at a time change a stack: what another makes isn't known before it ends.

    Pulumi has a lock of its own, but only within one state, and not for what is mended before it
    runs. Another account's hub of this name is seen once it runs.
    """
    return lock(f"{paths.NAME}-{name}", Path(tempfile.gettempdir()))


def engine_at(host: str | None) -> Engine | None:
    """An engine of this machine, or None for one behind ssh."""
    if host is None or not host.startswith("unix://"):
        return None
    return local() if host == "unix:///var/run/docker.sock" else Engine(host)
