"""Mends what a killed `up`, or a hand, left behind, so that the next `up` converges."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..setup import paths
from ..setup.engine import Engine
from ..setup.steps import Problem, step
from . import state as states
from .stack import Stack

WAIT_FOR_ANOTHER = 900  # seconds


def unlock(stack: Stack) -> bool:
    """Ends the lock of a `pulumi` that is no more; waits for one that is at work.

    Whether there was one: what it has made meanwhile is in the state, and not in older copies.
    """
    backend = stack.environment.get("PULUMI_BACKEND_URL", "")
    for file in states.half_written_locks(backend, stack.name):
        file.unlink()
    deadline = time.monotonic() + WAIT_FOR_ANOTHER
    said = False
    while found := states.locks(backend, stack.name):
        if all(lock.is_dead for lock in found):
            with step("Lock of a killed run", counted=False) as current:
                stack.require("cancel", "--yes")
                current.result = "ended"
            return True
        if time.monotonic() > deadline:
            pids = ", ".join(str(lock.pid) for lock in found)
            raise Problem(
                f"Another pulumi (process {pids}) is at this stack. Wait for it, or end it."
            )
        if not said:
            print("  … another pulumi is at this stack: waiting for it", flush=True)
            said = True
        time.sleep(0.5)
    return said


def check_owner(
    stack: Stack, engine: Engine, state: dict[str, Any], take_over: bool = False
) -> None:
    """Stops before a hub of somebody else is touched: one of the same name, from another state.

    A state that was lost is another matter: the data folder still knows the deployment then.
    """
    known = paths.data() / "deployments" / stack.deployment
    running = [c for c in engine.containers(stack.deployment, "hub") if c["State"] == "running"]
    if running and not (states.resources(state) or known.exists() or take_over):
        raise Problem(
            f"A hub named {stack.deployment} runs here already, set up by another account or with "
            "another data folder. Choose another name (STACK=…, with a stack file of that name), "
            "or take it over, which keeps its data: make up TAKE_OVER=1"
        )
    known.parent.mkdir(exist_ok=True)
    known.touch()


def forget_half_made(stack: Stack, state: dict[str, Any]) -> dict[str, Any]:
    """Forgets what was being made when an `up` was killed."""
    if not states.has_pending_operations(state):
        return state
    with step("Resources that a killed run was making", counted=False) as current:
        stack.require("refresh", "--clear-pending-creates", "--yes", "--skip-preview")
        current.result = "forgotten"
    return stack.exported() or {}


def remove_orphans(stack: Stack, engine: Engine, state: dict[str, Any]) -> bool:
    """Removes containers and networks of this deployment that the state doesn't know, if any.

    Volumes are never among them: a volume that is there is adopted by its name.
    """
    containers = states.orphans(state, engine.containers(stack.deployment))
    networks = states.orphan_networks(state, engine.networks(stack.deployment))
    if not (containers or networks):
        return False
    with step("Leftovers of this stack", counted=False) as current:
        for container in containers:
            engine.remove_container(container["Id"])
        if networks:  # servers on a network that must go can't stay
            stop_servers(stack, engine)
        for network in networks:
            engine.remove("networks", network["Id"])
        current.result = f"removed {len(containers)} containers, {len(networks)} networks"
    return True


def stop_servers(stack: Stack, engine: Engine) -> int:
    """Stops and removes all users' servers. Their files are on the homes volume."""
    servers = engine.containers(stack.deployment, role="user")
    with ThreadPoolExecutor(16) as pool:  # each may take its grace period
        list(pool.map(lambda server: engine.remove_container(server["Id"]), servers))
    return len(servers)


def check_kept(stack: Stack, engine: Engine, state: dict[str, Any], accepted: set[str]) -> None:
    """Stops where a volume with data is gone: an `up` would make an empty one without a word."""
    gone = [kept for kept in states.kept_volumes(state) if not engine.has_volume(kept.name)]
    lost = [kept for kept in gone if not {kept.short, kept.name} & accepted]
    if lost:
        names = ", ".join(kept.name for kept in lost)
        shorts = ",".join(kept.short for kept in lost)
        raise Problem(
            f"Data is missing: the volume {names} was there and is gone. Nothing was changed.\n"
            "  Restore it from a backup (docs/how-to.md, back up and restore), then make up;\n"
            f"  or start with an empty one: make up ACCEPT_EMPTY={shorts}"
        )
    for kept in gone:
        stack.require("state", "unprotect", kept.urn, "--yes")
