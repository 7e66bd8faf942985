"""The commands themselves: up, down, purge, preview, outputs, logs, roster, env."""

from __future__ import annotations

import json
import os
import shlex
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from . import (
    base_images,
    docker_engine,
    environment,
    paths,
    pointing,
    pulumi_cli,
    python_env,
    quotas,
    receipt,
    recovery,
    root_needs,
    test_packages,
    vm,
)
from . import state as states
from .engine import Engine
from .machine import Machine
from .stack import Stack, engine_at
from .steps import Problem, ask, expect, heading, step

READY_WITHIN = 120  # seconds
NAMELESS_WITHIN = 5


def setup(name: str) -> None:
    """Everything that is missing on this machine, and the stack with its secrets."""
    expect(_SETUP_STEPS)
    _set_up(name)


_SETUP_STEPS = 5


def _set_up(name: str) -> tuple[Stack, dict[str, Any]]:
    Stack(name).require_file()
    root_needs.check(Stack(name).file)
    python_env.ensure()
    pulumi_cli.ensure()
    stack = Stack(name)
    state = stack.ensure()
    engine = stack.engine  # reads the stack file: its mistakes come before anything is installed
    if engine:
        docker_engine.ensure(engine)
        base_images.ensure(engine)
    return stack, state


def up(name: str, accept_empty: str = "", take_over: bool = False) -> None:
    """Makes the hub what the stack file says."""
    print(f"Setting up stack {name}", flush=True)
    expect(_SETUP_STEPS + 2)
    stack, state = _set_up(name)
    pointing.require(stack.facts, state)
    recovery.unlock(stack)
    engine = stack.engine
    accepted = {part for part in accept_empty.split(",") if part}
    if engine:  # before anything is refreshed: that would forget a volume that is gone
        recovery.check_owner(stack, engine, state, take_over)
        recovery.check_kept(stack, engine, state, accepted)
        quotas.check(stack, engine, state)
    vm.check_ids(stack, state)
    vm.check_plugin(stack)
    state = recovery.forget_half_made(stack, state)
    answers = True
    if engine:
        recovery.remove_orphans(stack, engine, state)
        _accept_empty(stack, engine, accepted)
        _check_ports(stack, engine)
    else:
        state, answers = vm.recover(stack, state)
        quotas.check(stack, engine, state)
    heading("pulumi up")
    # What is on a machine that doesn't answer can't be asked how it is.
    if not stack.show(*_UP, *(("--refresh",) if answers else ())):
        raise Problem(_explain_failure(stack, engine))
    outputs = stack.outputs()
    if not answers:
        vm.still_away(stack.exported() or {}, name)
    _wait_for(str(outputs["url"]), outputs.get("address"))
    if engine:
        _prune_builds(engine)
    _print_result(outputs)


_UP = ("up", "--yes", "--skip-preview", "--suppress-outputs")


def _accept_empty(stack: Stack, engine: Engine, accepted: set[str]) -> None:
    """Leaves the hub a note that these volumes may be empty; it looks for itself, too."""
    volume = f"{stack.deployment}-state"
    if not accepted or not engine.has_volume(volume):
        return
    shorts = " ".join(name.removeprefix(f"{stack.deployment}-") for name in sorted(accepted))
    body = {
        "Image": base_images.DEBIAN,
        "Cmd": ["sh", "-c", f"echo {shlex.quote(shorts)} > /state/accept-empty"],
        "HostConfig": {"Binds": [f"{volume}:/state"]},
    }
    made = engine.call("POST", "/containers/create", body)["Id"]
    engine.call("POST", f"/containers/{made}/start")
    engine.call("POST", f"/containers/{made}/wait")
    engine.remove_container(made)


def _check_ports(stack: Stack, engine: Engine) -> None:
    """Before anything is touched: ports that another program has."""
    if engine.containers(stack.deployment, role="proxy"):
        return
    addresses = {"api": "127.0.0.1"}
    for what, port in stack.facts["ports"].items():
        if port is None:
            continue
        address = addresses.get(what, stack.facts["bind_address"])
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                key = f"jupyterhub:proxy.{what}_port"
                raise Problem(
                    f"Port {port} on {address} can't be used ({error.strerror}). End the program "
                    f"that has it (ss -ltnp | grep {port}), or set another {key} in "
                    f"stacks/{stack.file.name}."
                ) from None


def _explain_failure(stack: Stack, engine: Engine | None) -> str:
    """The hub's own words, where it is the hub that doesn't start."""
    text = "pulumi up failed, see above. Data is untouched; make up goes on from here."
    if engine:
        logs = [engine.log(c["Id"], 40) for c in engine.containers(stack.deployment, role="hub")]
    else:
        logs = [vm.log_of_hub(stack)]
    reasons = [line for log in logs for line in log.splitlines() if "hub not started:" in line]
    return reasons[-1] if reasons else text


def _wait_for(url: str, elsewhere: str | None) -> None:
    """Waits for the login page. `elsewhere` is the address of a machine that isn't this one."""
    with step("Login page") as current:
        # The hub is healthy, or pulumi up would have failed: without a name, waiting is in vain.
        nameless = elsewhere is None and pointing.trouble(url, elsewhere)
        deadline = time.monotonic() + (NAMELESS_WITHIN if nameless else READY_WITHIN)
        while not _answers(f"{url}/hub/health"):
            if time.monotonic() > deadline:
                if told := pointing.trouble(url, elsewhere):
                    current.result = f"not reached from here: {told}"
                    return
                if elsewhere is None:
                    raise Problem(f"{url} does not answer. What the hub says: make logs")
                current.result = (
                    f"not reached from here. Does its name point to {elsewhere}? In a private "
                    "network, open it from inside"
                )
                return
            time.sleep(0.2)
        current.result = f"answers at {url}"


def _answers(url: str) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # self-signed is fine here
    direct = urllib.request.ProxyHandler({})  # a site's proxy doesn't know this machine's hub
    opener = urllib.request.build_opener(direct, urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _prune_builds(engine: Engine) -> None:
    """Removes builds of this project's images that no container and no newer tag needs."""
    used = {c["ImageID"] for c in engine.call("GET", "/containers/json?all=1")}
    newest: dict[str, dict[str, Any]] = {}
    builds = []
    for image in engine.call("GET", "/images/json"):
        for tag in image.get("RepoTags") or []:
            if tag.startswith("pulumi-jupyterhub/"):
                folder = tag.split(":")[0]
                builds.append((tag, image))
                if image["Created"] >= newest.get(folder, image)["Created"]:
                    newest[folder] = image
    week = time.time() - 7 * 86400  # other checkouts on this engine may still need them
    current = {image["Id"] for image in newest.values()}
    for tag, image in builds:
        if image["Id"] not in used | current and image["Created"] < week:
            engine.remove("images", tag)


def _print_result(outputs: dict[str, Any]) -> None:
    print()
    for label, key in (
        ("URL", "url"),
        ("Class password", "class_password"),
        ("Admin", "admin_user"),
        ("Admin password", "admin_password"),
    ):
        if outputs.get(key):
            print(f"{label + ':':16} {outputs[key]}")
    print()
    print(outputs["next_steps"])


def down(name: str) -> None:
    """Stops and removes everything but the data, and tells what was deleted and what is kept."""
    stack, state = existing(name)
    left = _destroy(stack, state)
    print()
    for line in receipt.lines(name, state, left):
        print(line)
    for line in vm.left_behind(stack, {str(r.get("id")) for r in states.resources(left)}):
        print(line)


def kept(name: str) -> None:
    """What holds data."""
    _, state = existing(name)
    for line in receipt.kept(name, state):
        print(line)


def _destroy(stack: Stack, state: dict[str, Any]) -> dict[str, Any]:
    """Removes all but what is protected; returns the state that is left."""
    engine = _engine_of(state)
    recovery.unlock(stack)
    if engine is None:
        state = vm.before_destroy(stack, state)
    if engine and engine.version():
        recovery.check_owner(stack, engine, state)
        with step("Servers of users") as current:
            current.result = f"{recovery.stop_servers(stack, engine)} stopped"
        recovery.remove_orphans(stack, engine, state)  # they would keep volumes in use
    options = ("--yes", "--skip-preview", "--exclude-protected", "--suppress-outputs")
    if not stack.show("destroy", *options):
        raise Problem("pulumi destroy failed, see above. The same command goes on from here.")
    left = stack.exported() or {}
    if engine:
        recovery.remove_orphans(stack, engine, left)
    return left


def _engine_of(state: dict[str, Any]) -> Engine | None:
    """By the state, so that a stack file with a mistake in it stops nobody from stopping."""
    if Machine.of(state) or Machine.of_cluster(state):
        return None
    return engine_at(states.engine_host(state) or "unix:///var/run/docker.sock")


def existing(name: str) -> tuple[Stack, dict[str, Any]]:
    """A stack that was set up, and its state."""
    stack = Stack(name)
    state = stack.exported() if stack.file.exists() else None
    if state is None:
        raise Problem(f"There is no stack {name} yet: make up STACK={name}")
    return stack, state


def purge(name: str, yes: bool) -> None:
    """Deletes everything, the data too."""
    stack, state = existing(name)
    engine = _engine_of(state)
    names = receipt.data(state)
    print("This deletes the hub and all data in: " + (", ".join(names) or "no volumes"), flush=True)
    if not yes and ask(f"Type the stack's name ({name}) to delete it: ") != name:
        raise Problem("Nothing was deleted. Without a terminal: make purge YES=1")
    recovery.unlock(stack)
    stack.require("state", "unprotect", "--all", "--yes")
    _destroy(stack, state)
    if engine:
        for volume in states.volumes(state):
            engine.remove("volumes", volume)
    stack.require("stack", "rm", "--yes", "--force", "--preserve-config")
    print(f"Deleted: {', '.join(names)}")
    if Machine.of(state) and not stack.cloud:
        print("The folders on the machine are left; there: sudo rm -r /srv/data")


def outputs(name: str) -> None:
    """All outputs as one JSON document."""
    stack, _ = existing(name)
    print(json.dumps(stack.outputs(), indent=2))


def env(name: str) -> None:
    """Lines for `eval "$(make env)"`."""
    found = pulumi_cli.find()
    if found is None:
        raise Problem("Pulumi isn't set up yet: run make setup.")
    shared = environment.backend_of(name)
    own = environment.variables(found) | ({"PULUMI_BACKEND_URL": shared} if shared else {})
    for variable, value in own.items():
        print(f"export {variable}={shlex.quote(value)}")


# A machine is booted only when asked for (make test-vm): without hardware support it takes long.
SUITE = ["tests/unit", "tests/engine", "tests/local", "tests/kubernetes"]
# Two at a time, as tests/conftest.py shares them out; how long the longest took is told.
_WHOLE = ["--numprocesses", "2", "--dist", "loadgroup", "--durations", "30", *SUITE]


def test(arguments: list[str]) -> None:
    """All tests, or those named."""
    python_env.ensure(developer=True)
    pulumi_cli.ensure()
    engine = Engine()
    docker_engine.ensure(engine)
    base_images.ensure(engine)
    test_packages.ensure()
    if not arguments or any(each.startswith("tests/kubernetes") for each in arguments):
        test_packages.ensure_kubernetes()
    found = pulumi_cli.find()
    assert found is not None
    variables = os.environ | environment.variables(found)
    command = [str(python_env.PYTHON), "-m", "pytest", *(arguments or _WHOLE)]
    sys.stdout.flush()
    os.chdir(paths.ROOT)
    os.execve(command[0], command, variables)


def lint() -> None:
    """Ruff, mypy and hadolint."""
    python_env.ensure(developer=True)
    dockerfiles = sorted(str(path) for path in paths.ROOT.glob("images/*/Dockerfile"))
    for words in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["hadolint", *dockerfiles],
    ):
        if subprocess.run([paths.VENV / "bin" / words[0], *words[1:]], check=False).returncode:
            raise Problem(f"{' '.join(words)} found something, see above.")


def bench(what: str) -> None:
    """Measures one part or all, on stacks of their own."""
    python_env.ensure(developer=True)
    if subprocess.run([python_env.PYTHON, "-m", "bench", *what.split()], check=False).returncode:
        raise Problem("The benchmark failed, see above.")
