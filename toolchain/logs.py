"""What the containers of a stack print."""

from __future__ import annotations

import subprocess

from .engine import Engine
from .machine import Machine
from .stack import Stack
from .steps import Problem

ROLES = ("buckets", "examples", "guard", "proxy", "hub")


def show(name: str, what: str, follow: bool) -> None:
    """Prints the last lines of one container or of all; with `follow` also the next ones."""
    stack = Stack(name)
    engine = stack.engine
    if what and what not in ROLES:
        raise Problem(f"WHAT={what} is not known; one of: {', '.join(ROLES)}")
    if engine is None:
        _there(stack, [what] if what else list(ROLES), follow)
        return
    found = [
        c for role in ([what] if what else ROLES) for c in engine.containers(stack.deployment, role)
    ]
    if not found:
        raise Problem("Nothing runs here, so there are no logs: make up")
    if follow:
        _follow(found[-1]["Names"][0].lstrip("/"))
        return
    for container in found:
        print(f"== {container['Names'][0].lstrip('/')}")
        print(_last(engine, container["Id"]))


def _there(stack: Stack, roles: list[str], follow: bool) -> None:
    known = Machine.of(stack.exported() or {})
    if known is None:
        raise Problem("Nothing runs yet, so there are no logs: make up")
    labels = f"--filter label=pulumi-jupyterhub.deployment={stack.deployment}"
    for role in roles[-1:] if follow else roles:
        find = f"docker ps -aq {labels} --filter label=pulumi-jupyterhub.role={role}"
        command = f"docker logs --tail 100 {'-f ' if follow else ''}$({find}) 2>&1"
        print(f"== {role}", flush=True)
        if follow:
            known.become(command)
        print(known.run(command, seconds=120).stdout.decode(errors="replace").rstrip())


def _last(engine: Engine, identity: str) -> str:
    return engine.log(identity, 100).rstrip()


def _follow(container: str) -> None:
    print(f"== {container} (end with Ctrl-C)", flush=True)
    try:
        subprocess.run(["docker", "logs", "--tail", "100", "-f", container], check=False)
    except FileNotFoundError:
        raise Problem("Following needs the docker command; without FOLLOW it isn't.") from None
    except KeyboardInterrupt:
        return
