"""What the containers of a stack print."""

from __future__ import annotations

import subprocess

from .engine import Engine
from .stack import Stack
from .steps import Problem

ROLES = ("guard", "proxy", "hub")


def show(name: str, what: str, follow: bool) -> None:
    """Prints the last lines of one container or of all; with `follow` also the next ones."""
    stack = Stack(name)
    engine = stack.engine
    if engine is None:
        raise Problem(f"The containers run on {stack.facts['docker']}: use docker logs there.")
    if what and what not in ROLES:
        raise Problem(f"WHAT={what} is not known; one of: {', '.join(ROLES)}")
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
