"""A chart's release, made by a real `helm` where there is one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from . import OFFICIAL, PluginError
from .cluster import Settings
from .rules import Values

TOKEN = "kubernetes:helm.sh/v3:Release"
_STUCK = ("pending-install", "pending-upgrade", "pending-rollback")


def id_of(inputs: Values, settings: Settings) -> str:
    """`namespace/name`, as the official provider has it."""
    return f"{_namespace(inputs, settings)}/{inputs['name']}"


def apply(inputs: Values, settings: Settings) -> Values:
    """Installs or upgrades it."""
    _unlock(inputs, settings)
    command = ["upgrade", "--install", inputs["name"], inputs["chart"], "--output", "json"]
    for flag, given in (
        ("--repo", (inputs.get("repositoryOpts") or {}).get("repo")),
        ("--version", inputs.get("version")),
        ("--timeout", f"{inputs.get('timeout') or 300}s"),
    ):
        command += [flag, str(given)] if given else []
    for flag, wanted in (
        ("--atomic", inputs.get("atomic")),
        ("--cleanup-on-fail", inputs.get("cleanupOnFail")),
        ("--create-namespace", inputs.get("createNamespace")),
        ("--wait", not inputs.get("skipAwait")),
    ):
        command += [flag] if wanted else []
    with tempfile.TemporaryDirectory() as folder:
        values = Path(folder) / "values.yaml"
        values.touch(0o600)
        values.write_text(yaml.safe_dump(inputs.get("values") or {}))
        shown = _helm([*command, "--values", str(values)], inputs, settings)
    return inputs | {"status": _status(json.loads(shown))}


def read(inputs: Values, settings: Settings) -> Values | None:
    """What is installed, or nothing."""
    found = _found(inputs, settings)
    return None if found is None else inputs | {"status": _status(found)}


def delete(inputs: Values, settings: Settings) -> None:
    """Uninstalls it."""
    if _found(inputs, settings) is not None:
        _helm(["uninstall", inputs["name"], "--wait"], inputs, settings)


def _unlock(inputs: Values, settings: Settings) -> None:
    """A release whose helm was killed is pending for ever, and refuses the next one."""
    found = _found(inputs, settings)
    if found is None or found["info"]["status"] not in _STUCK:
        return
    first = int(found["version"]) == 1
    words = ["uninstall", inputs["name"], "--wait"] if first else ["rollback", inputs["name"]]
    _helm(words, inputs, settings)


def _found(inputs: Values, settings: Settings) -> Values | None:
    try:
        shown = _helm(["status", inputs["name"], "--output", "json"], inputs, settings)
    except PluginError as error:
        if "not found" in str(error):
            return None
        raise
    return dict(json.loads(shown))


def _status(found: Values) -> Values:
    return {
        "name": found["name"],
        "namespace": found["namespace"],
        "revision": int(found["version"]),
        "status": found["info"]["status"],
    }


def _namespace(inputs: Values, settings: Settings) -> str:
    return str(inputs.get("namespace") or settings.namespace or "default")


def _helm(words: list[str], inputs: Values, settings: Settings) -> str:
    program = shutil.which("helm")
    if program is None:
        raise PluginError(
            f"there is no `helm` on PATH to make release {inputs['name']}; {OFFICIAL}"
        )
    with _kubeconfig(settings) as file:
        context = ["--kube-context", settings.context] if settings.context else []
        where = ["--namespace", _namespace(inputs, settings), "--kubeconfig", file, *context]
        done = subprocess.run(
            [program, *words, *where], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise PluginError(f"helm {words[0]}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def _kubeconfig(settings: Settings) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "kubeconfig")
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            yaml.safe_dump(settings.document, out)
        yield file
