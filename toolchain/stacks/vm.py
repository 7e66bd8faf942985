"""What `make` does for a stack whose hub is on another machine: before `up`, and to rebuild."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ..plugins.cloud_standin import ID_PREFIX
from ..setup import paths, provider_plugins, python_env
from ..setup.steps import Problem, heading, step
from . import machine
from . import state as states
from .machine import Machine
from .stack import Stack


def check_plugin(stack: Stack) -> None:
    """Stops where the cloud's official plugin can't be had: only a preview works without."""
    if stack.has_standin_cloud or not (absent := stack.absent_plugins):
        return
    name = absent[0]
    raise Problem(
        f"The official plugin for {name} is not here and could not be downloaded. Nothing was "
        "made. With a way to the internet: "
        f"pulumi plugin install resource {name} {provider_plugins.version(name)}\n"
        f"To see what it would make, without it: make preview STACK={stack.name}"
    )


def check_ids(stack: Stack, state: dict[str, Any]) -> None:
    """Stops over a state whose resources exist in no cloud."""
    invented = [r["id"] for r in states.resources(state) if str(r.get("id")).startswith(ID_PREFIX)]
    if invented and not stack.has_standin_cloud:
        raise Problem(
            f"The state of stack {stack.name} is a test's: {invented[0]} exists in no cloud. "
            f"Remove it: pulumi stack rm --force {stack.name}"
        )


def recover(stack: Stack, state: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The state to go on from, and whether the machine answers.

    One without a running Docker, as after a new installation, is prepared again. One that isn't
    there may have been deleted by hand: what was on it is forgotten, and made again on the next.
    One that was stopped is started by `up`, where the cloud's plugin can do that.
    """
    known = Machine.of(state)
    if known is None:
        is_away = stack.cloud and _cluster_is_away(stack, state)
        return (_refresh_outside(stack, state) if is_away else state), False
    bring_key(stack, known)
    state = _without_dead(stack, state)
    with step("Machine", counted=False) as current:
        if known.has_docker():
            current.result = f"{known.address} answers"
            return state, True
        current.result = f"the Docker of {known.address} does not answer"
    answer = known.run("true")
    if answer.returncode == 0:
        return _prepare_again(stack, state, known), True
    if stack.cloud is None:
        reason = answer.stderr.decode().strip()
        raise Problem(
            f"{known.address} does not answer by ssh. Nothing was changed. It says: {reason}\n"
            f"  Try: {' '.join(known.command)}\n"
            "  If it was installed anew, forget its old host key: ssh-keygen "
            f"-R {known.option('HostKeyAlias')} -f {known.option('UserKnownHostsFile')}"
        )
    return _refresh_outside(stack, state), False


def _without_dead(stack: Stack, state: dict[str, Any]) -> dict[str, Any]:
    """Forgets what was on further machines that don't answer: it holds nothing that is kept.

    `up` makes it again, on the machine that is back, or on the VM that is made anew.
    """
    for gate, other in Machine.others(state).items():
        bring_key(stack, other)
        if other.has_docker():
            continue
        with step(f"Machine {other.address}", counted=False) as current:
            current.result = "does not answer: what was on it is made again"
            left = machine.without(state, machine.behind(state, gate))
            stack.require("stack", "import", given=json.dumps(left))
            state = stack.exported() or {}
    return state


def _cluster_is_away(stack: Stack, state: dict[str, Any]) -> bool:
    """Whether the stack has made a k3s cluster whose first server doesn't answer."""
    server = Machine.of_cluster(state)
    if server is None:
        return False
    bring_key(stack, server)
    with step("First server of the cluster", counted=False) as current:
        is_away = server.run("true").returncode != 0
        current.result = f"{server.address} {'does not answer' if is_away else 'answers'}"
    return is_away


def bring_key(stack: Stack, known: Machine) -> None:
    """Puts the stack's ssh key where ssh looks for it: CI and colleagues have the secrets only."""
    file = Path(known.key).expanduser()
    if file.exists():
        return
    answer = stack.pulumi("config", "get", "--path", "jupyterhub:secrets.ssh_key")
    if answer.returncode == 0 and answer.stdout.startswith("-----BEGIN"):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            out.write(answer.stdout)


def _prepare_again(stack: Stack, state: dict[str, Any], known: Machine) -> dict[str, Any]:
    """Runs the converge script: the gate is forgotten, and made again alone."""
    gate = machine.gate(state)
    stack.require("stack", "import", given=json.dumps(machine.without(state, [gate])))
    heading("preparing the machine again")
    if not stack.show("up", "--yes", "--skip-preview", "--target", gate, "--suppress-outputs"):
        raise Problem("The machine could not be prepared, see above. Its data was not touched.")
    return stack.exported() or {}


def _refresh_outside(stack: Stack, state: dict[str, Any]) -> dict[str, Any]:
    """Asks the cloud for all but what is on the machine, which can't be asked."""
    before = vm_ids(state)
    urns = [r["urn"] for r in states.resources(state) if r["type"].startswith(f"{stack.cloud}:")]
    words = [word for urn in urns for word in ("--target", urn)]
    stack.require("refresh", "--yes", "--skip-preview", *words)
    after = stack.exported() or {}
    if before - vm_ids(after):
        with step("VM", counted=False) as current:
            forget_inside(stack, after)
            current.result = "was deleted by hand: making it again; the data is on its own disk"
        after = stack.exported() or {}
    return after


def vm_ids(state: dict[str, Any]) -> set[str]:
    """Ids of the machines themselves, whatever the cloud calls the type."""
    return {
        str(r["id"]) for r in states.resources(state) if r["type"].endswith("/instance:Instance")
    }


def forget_inside(stack: Stack, state: dict[str, Any]) -> None:
    """Takes what was on the machine out of the state."""
    left = machine.without(state, machine.inside(state))
    stack.require("stack", "import", given=json.dumps(left))


def before_destroy(stack: Stack, state: dict[str, Any]) -> dict[str, Any]:
    """Ends what is on the machine in good order; a machine that isn't there holds nothing up."""
    known = Machine.of(state)
    if known is None:
        return _without_cluster(stack, state)
    bring_key(stack, known)
    state = _without_dead(stack, state)  # a destroy would wait for it
    with step("Servers and hub on the machine") as current:
        if stop_all(stack, known):
            current.result = "stopped"
            return state
        current.result = f"{known.address} does not answer: going on without it"
    forget_inside(stack, state)
    return stack.exported() or {}


def _without_cluster(stack: Stack, state: dict[str, Any]) -> dict[str, Any]:
    """Forgets what is in a cluster that is away with its VM: a destroy would wait for it.

    The cluster's own state is on its disk. The next `up` takes from there what it makes again.
    """
    if not _cluster_is_away(stack, state):
        return state
    left = machine.without(state, machine.in_cluster(state))
    stack.require("stack", "import", given=json.dumps(left))
    return stack.exported() or {}


def stop_all(stack: Stack, known: Machine) -> bool:
    """Stops this deployment's containers, the hub first; users' servers are removed.

    They belong to no resource. Other containers of the machine are nobody's business here.
    """
    own = f"--filter label=pulumi-jupyterhub.deployment={stack.deployment}"
    role = f"docker ps -aq {own} --filter label=pulumi-jupyterhub.role="
    steps = [
        f"{role}guard | xargs -r docker stop -t 90",  # it would start the hub again
        f"{role}hub | xargs -r docker stop -t 30",
        f"{role}user | xargs -r docker stop -t 30",
        f"{role}user | xargs -r docker rm -f",
        f"docker ps -q {own} | xargs -r docker stop -t 30",
        "sync",
    ]
    return known.run("; ".join(steps), seconds=300).returncode == 0


def log_of_hub(stack: Stack) -> str:
    """What the hub on the machine said last; nothing where it isn't reached."""
    known = Machine.of(stack.exported() or {})
    if known is None:
        return ""
    own = f"--filter label=pulumi-jupyterhub.deployment={stack.deployment}"
    hub = f"docker ps -aq {own} --filter label=pulumi-jupyterhub.role=hub"
    return known.run(f"{hub} | xargs -r docker logs --tail 40 2>&1").stdout.decode()


def left_behind(stack: Stack, kept: set[str]) -> list[str]:
    """What carries the stack's label in the cloud and isn't kept on purpose, as lines to print."""
    if stack.cloud is None or stack.has_standin_cloud:
        return []
    answer = subprocess.run(
        [str(python_env.PYTHON), "-m", "stacks.left", stack.name],
        cwd=paths.ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(answer.stdout or "null")
    if found is None:
        return [f"Left behind: the cloud could not be asked ({answer.stderr.strip()})"]
    others = sorted(set(found) - kept)
    return ["Left behind, look in the cloud's console: " + ", ".join(others)] if others else []


def still_away(state: dict[str, Any], name: str) -> None:
    """Stops where a machine that didn't answer before an `up` doesn't answer after it."""
    known = Machine.of(state)
    if known and not known.has_docker():
        raise Problem(
            f"{known.address} does not answer by ssh, and nothing in the cloud had to be mended. "
            "If somebody stopped the VM, start it in the cloud's console, then make up; or make a "
            f"new one on the same data: make rebuild STACK={name}"
        )
