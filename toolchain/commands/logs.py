"""What the containers of a stack print."""

from __future__ import annotations

import subprocess
from argparse import ArgumentParser, Namespace

from ..setup.engine import Engine
from ..setup.steps import Problem
from ..stacks import cluster
from ..stacks.machine import Machine
from ..stacks.stack import Stack

ROLES = ("buckets", "examples", "guard", "proxy", "hub")
# Deployments in a cluster, as kubectl finds them; Traefik's unless there is another ingress.
_DEPLOYMENTS = {
    "proxy": (("proxy",), ("--selector=app.kubernetes.io/name=traefik",)),
    "hub": (("hub",),),
}


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--what", default="", help="hub, proxy, guard or examples")
    parser.add_argument("--follow", action="store_true")


def run(given: Namespace) -> None:
    """Runs it."""
    show(given.stack, given.what, given.follow)


def show(name: str, what: str, follow: bool) -> None:
    """Prints the last lines of one container or of all; with `follow` also the next ones."""
    stack = Stack(name)
    known = tuple(_DEPLOYMENTS) if stack.is_in_cluster else ROLES
    if what and what not in known:
        raise Problem(f"WHAT={what} is not known; one of: {', '.join(known)}")
    roles = [what] if what else list(known)
    if stack.is_in_cluster:
        _in_cluster(stack, roles, follow)
    elif engine := stack.engine:
        _here(stack, engine, roles, follow)
    else:
        _there(stack, roles, follow)


def _in_cluster(stack: Stack, roles: list[str], follow: bool) -> None:
    with cluster.way(stack) as way:
        find = ("get", "deployments", "--ignore-not-found", "--output=name")
        asked = [way.ask(*find, *which) for role in roles for which in _DEPLOYMENTS[role]]
        found = "".join(asked).split()
        if not found:
            raise Problem(f"Nothing runs there, so there are no logs: make up STACK={stack.name}")
        for deployment in found[-1:] if follow else found:
            print(f"== {deployment}{' (end with Ctrl-C)' if follow else ''}", flush=True)
            way.show("logs", deployment, "--tail=100", *(["--follow"] if follow else []))


def _here(stack: Stack, engine: Engine, roles: list[str], follow: bool) -> None:
    found = [c for role in roles for c in engine.containers(stack.deployment, role)]
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
