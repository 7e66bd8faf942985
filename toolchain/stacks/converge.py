"""Makes a hub what its stack file says."""

from __future__ import annotations

import re
import shlex
import socket
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

from ..setup import base_images
from ..setup.engine import Engine
from ..setup.steps import Problem, expect, heading, step
from . import pointing, quotas, ready, recovery, vm
from .stack import Stack, alone

READY_WITHIN = 120  # seconds
NAMELESS_WITHIN = 5
_IN_THE_WAY = re.compile(
    r"(?P<kind>container|network) (?:(?:with )?name|named) \"?/?(?P<name>[\w.-]+)\"? "
    r"(?:is there already|is already in use|already exists)"
)
LATE = 120.0  # seconds that an engine under load may still be at a container nobody waits for
_UP = ("up", "--yes", "--skip-preview", "--suppress-outputs")


def up(name: str, accept_empty: str = "", take_over: bool = False) -> None:
    """Makes the hub what the stack file says."""
    with alone(name):
        _up(name, accept_empty, take_over)


def _up(name: str, accept_empty: str, take_over: bool) -> None:
    print(f"Setting up stack {name}", flush=True)
    expect(ready.STEPS + 2)
    stack, state = ready.set_up(name)
    pointing.require(stack.facts, state)
    if recovery.unlock(stack):
        state = stack.exported() or {}
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
    worked = stack.show(*_UP, *(("--refresh",) if answers else ()))
    if not worked and engine and took_back(stack, engine):
        worked = stack.show(*_UP)
    if not worked:
        raise Problem(_explain_failure(stack, engine))
    stack.keep_copy()
    outputs = stack.outputs()
    if not answers:
        vm.still_away(stack.exported() or {}, name)
    _wait_for(str(outputs["url"]), outputs.get("address"))
    if engine:
        _prune_builds(engine)
    _print_result(outputs)


def took_back(stack: Stack, engine: Engine) -> bool:
    """Whether containers of this stack were in the way, which its state had lost meanwhile.

    An engine that answers late, or a run that was killed between making one and noting it, does
    that. They are known by their labels; data is not in them. An engine that is still at one has
    given away its name and doesn't list it yet: it is waited for.
    """
    found = [match for line in stack.shown if (match := _IN_THE_WAY.search(line))]
    if not found:
        return False
    for each in found:
        if each["kind"] == "container" and not engine.has_container(each["name"]):
            _await_listed(engine, each["name"])
    return recovery.remove_orphans(stack, engine, stack.exported() or {})


def _await_listed(engine: Engine, name: str) -> None:
    with step(f"Container {name}, which the engine is making", counted=False) as current:
        deadline = time.monotonic() + LATE
        while not engine.has_container(name):
            if time.monotonic() > deadline:
                raise Problem(
                    f"The Docker engine keeps the name {name} for a container that it doesn't "
                    "list. Restart it (sudo systemctl restart docker), then make up again: no data "
                    "is lost."
                )
            time.sleep(0.5)
        current.result = "there"


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
