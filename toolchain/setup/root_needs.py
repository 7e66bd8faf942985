"""What only root can set up, as one command, for users who may not."""

from __future__ import annotations

import getpass
import importlib.util
import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import engine, paths
from .steps import Problem, is_root


@dataclass(frozen=True)
class Machine:
    """What a machine has, as far as a user can see."""

    user: str
    has_venv: bool
    has_docker: bool  # its engine is installed
    runs_docker: bool
    may_use_docker: bool
    has_systemd: bool


def check(stack_file: Path) -> None:
    """Stops a user who lacks something, with the one command that root has to run."""
    if is_root():
        return
    machine = _look()
    steps = commands(machine, docker_here=_runs_here(stack_file))
    if not steps:
        return
    once = (
        f"sudo {steps[0]}" if len(steps) == 1 else f"sudo sh -c {shlex.quote(' && '.join(steps))}"
    )
    again = "R" if machine.may_use_docker else "Log out and in again, then r"
    raise Problem(
        f"Something is missing that only root can set up. Run this once:\n  {once}\n"
        f"{again}un the same command again."
    )


def commands(machine: Machine, docker_here: bool) -> list[str]:
    """What root has to run, in this order; empty when nothing is missing."""
    packages = [] if machine.has_venv else ["python3-venv"]
    if docker_here and not machine.has_docker:
        packages += ["docker.io", "iptables"]
    steps = []
    if packages:
        steps += ["apt-get update", f"apt-get install -y {' '.join(packages)}"]
    if docker_here and not machine.runs_docker and machine.has_systemd:
        steps.append("systemctl enable --now docker")
    if docker_here and not machine.runs_docker and not machine.has_systemd:
        steps.append("setsid dockerd >/var/log/dockerd.log 2>&1 &")
    if docker_here and not machine.may_use_docker:
        # Before a command that stays in the background.
        steps.insert(2 if packages else 0, f"usermod -aG docker {machine.user}")
    return steps


def _look() -> Machine:
    here = engine.local()
    permitted = os.access(here.socket, os.R_OK | os.W_OK)
    runs = here.socket.exists()
    return Machine(
        user=getpass.getuser(),
        has_venv=(paths.VENV / "bin" / "pip").exists()
        or bool(importlib.util.find_spec("ensurepip")),
        has_docker=runs or bool(shutil.which("dockerd", path="/usr/bin:/usr/sbin:/usr/local/bin")),
        runs_docker=runs,
        may_use_docker=permitted or (not runs and _is_in_group()),
        has_systemd=Path("/run/systemd/system").is_dir(),
    )


def _is_in_group() -> bool:
    import grp

    try:
        return grp.getgrnam("docker").gr_gid in os.getgroups()
    except KeyError:
        return False


def _runs_here(stack_file: Path) -> bool:
    """Whether the stack's containers run on this machine; its file can't be parsed yet."""
    text = stack_file.read_text() if stack_file.exists() else ""
    return not any(scheme in text for scheme in ("ssh://", "tcp://"))
