"""The gate before everything that runs on a machine: it is there, prepared, and answers."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from . import ssh
from .desired import SCRIPT, lines
from .runtime import DOCKER, Runtime, digest
from .ssh import Connection

_CONVERGE = "/etc/pulumi-jupyterhub/converge.sh"
# Its status says `error` from the first fault on, also while it still works: the file is the end.
# And to ask for it takes a second of a small machine's CPU, every time.
_CLOUD_INIT_IS_OVER = (
    "! command -v cloud-init || test -e /run/cloud-init/result.json "
    "|| { ! test -e /run/cloud-init/enabled && cloud-init status | grep -q disabled; }"
)
LOST = 255  # ssh's own failure, not the command's
_EVERY = 15  # seconds between two lines of progress


def gate(
    name: str,
    connection: Connection,
    machine: pulumi.Input[str],
    desired: pulumi.Output[str],
    within: int,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource] = (),
    runtime: Runtime = DOCKER,
    files: Mapping[str, pulumi.Input[str]] | None = None,
) -> pulumi.Stash:
    """A value in the state whose creation and change wait until the machine is as desired.

    A failed wait leaves it out of the state, so that the next `up` waits again; a change of the
    desired state, of the script, of a file or of the machine itself runs the converge script over
    ssh. What is sealed is known to this program, and its checksum to the state.
    """
    sealed: dict[str, str] = {}

    async def on_change(args: pulumi.ResourceHookArgs) -> None:
        wanted = (args.new_inputs or {})["input"]
        await asyncio.to_thread(_bring_about, wanted, sealed)

    hook = pulumi.ResourceHook(f"{name}-ready", on_change)
    return pulumi.Stash(
        name,
        input={
            "machine": machine,
            "desired": desired,
            **_of_the_runtime(runtime, files or {}, sealed),
            "script": hashlib.sha256(SCRIPT.encode()).hexdigest()[:12],
            "ssh": {
                "user": connection.user,
                "address": connection.address,
                "port": connection.port,
                "options": connection.options,
            },
            "within": within,
        },
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=[*depends_on, *runtime.after],
            hooks=pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook]),
        ),
    )


def _of_the_runtime(
    runtime: Runtime, files: Mapping[str, pulumi.Input[str]], sealed: dict[str, str]
) -> dict[str, Any]:
    """What the state knows of another runtime than Docker."""
    if runtime is DOCKER:
        return {}

    def remember(known: dict[str, str]) -> str:
        sealed.update(known)
        return digest(known)

    checksum = pulumi.Output.all(**runtime.sealed).apply(remember)
    return {
        "answers": runtime.answers,
        "files": dict(files),
        "sealed": pulumi.Output.unsecret(checksum),
    }


def _bring_about(wanted: Mapping[str, Any], sealed: Mapping[str, str]) -> None:
    host = host_of(wanted["ssh"])
    files = {**wanted.get("files", {}), **sealed}
    # With the files' checksum the script also sees that they have come, or have changed.
    desired = wanted["desired"] + (lines({"FILES": digest(files)}) if files else "")
    answers = wanted.get("answers", DOCKER.answers)
    converge(host, desired, int(wanted["within"]), pulumi.log.info, answers, files)


def host_of(way: Mapping[str, Any]) -> Host:
    """The machine behind a gate, as its input says."""
    return Host(way["user"], way["address"], int(way["port"]), list(way["options"]))


class NotReady(Exception):
    """The machine isn't what it has to be. Its text says what it is at, and the way out."""


@dataclass(frozen=True)
class Host:
    """A machine behind ssh, every value known."""

    user: str
    address: str
    port: int
    options: list[str]

    def run(self, command: str, given: str = "", timeout: float = 60) -> Any:
        """Runs a shell command there."""
        return ssh.run(self.user, self.address, self.port, self.options, command, given, timeout)


def converge(
    host: Host,
    desired: str,
    within: int,
    say: Callable[[str], None],
    answers: str = DOCKER.answers,
    files: Mapping[str, str] | None = None,
) -> None:
    """Waits until the machine is there, makes it as desired, and waits until it `answers`."""
    deadline = time.monotonic() + within
    _wait_for_ssh(host, deadline, within, say)
    _wait_for_cloud_init(host, deadline, within, say)
    if _is_ready(host, desired, answers):
        return
    say(f"preparing {host.address}: disks, accounts, {'k3s' if files else 'Docker'}")
    for path, text in (files or {}).items():
        _write(host, path, text, "600")
    _write(host, "/etc/pulumi-jupyterhub/desired.conf", desired)
    _write(host, _CONVERGE, SCRIPT)
    printed = _run_script(host, deadline)
    if not _is_ready(host, desired, answers):
        raise NotReady(_explanation(host, printed[-3000:]))
    say(f"{host.address} is ready")


def _run_script(host: Host, deadline: float) -> str:
    """What the script printed. A lost connection is no verdict: it goes on there all the same."""
    while True:
        left = max(60.0, deadline - time.monotonic())
        done = host.run(f"sudo bash {_CONVERGE} 2>&1", timeout=left)
        if done.returncode != LOST or time.monotonic() > deadline:
            return str(done.stdout)
        time.sleep(3)


def _wait_for_ssh(host: Host, deadline: float, within: int, say: Callable[[str], None]) -> None:
    said = time.monotonic()
    while (answer := host.run("true", timeout=30)).returncode:
        refused = [line for line in answer.stderr.splitlines() if _is_reason(line)] or ["no answer"]
        if "Permission denied" in refused[-1] and _cloud_init_cannot_help(deadline, within):
            raise NotReady(
                f"{host.user}@{host.address} refuses the key {host.options[1]}. Add its public "
                "key (ssh-keygen -y -f …) to that account, or set ssh.user and ssh.key_file."
            )
        if "HOST IDENTIFICATION HAS CHANGED" in answer.stderr:
            raise NotReady(
                f"{host.address} has another host key than before. If the machine was set up anew "
                f"on purpose, remove its line: ssh-keygen -R <machine> -f {_known(host)}"
            )
        if time.monotonic() > deadline:
            raise NotReady(
                f"{host.address} does not answer by ssh within {within} s: {refused[-1]}. Is it "
                "running? May this computer's address reach it (vm.ssh.allow_from)? Then: make up"
            )
        if time.monotonic() - said > _EVERY:
            said = time.monotonic()
            say(f"waiting for ssh on {host.address}: {refused[-1]}")
        time.sleep(2)


def _is_reason(line: str) -> bool:
    """Whether a line of ssh's is the reason of a failure, not a notice."""
    return bool(line.strip()) and not line.startswith(("Warning:", "Failed to add the host"))


def _cloud_init_cannot_help(deadline: float, within: int) -> bool:
    """A new VM refuses the key until cloud-init has made the account; that takes a minute."""
    return time.monotonic() > deadline - within + min(240, within / 2)


def _known(host: Host) -> str:
    option = next((o for o in host.options if o.startswith("UserKnownHostsFile=")), "=known_hosts")
    return option.split("=", 1)[1]


def _wait_for_cloud_init(
    host: Host, deadline: float, within: int, say: Callable[[str], None]
) -> None:
    """The first run of the converge script belongs to cloud-init, where the machine has it."""
    said = 0.0
    while True:
        if host.run(_CLOUD_INIT_IS_OVER).returncode == 0:
            return
        if time.monotonic() > deadline:
            raise NotReady(
                f"cloud-init on {host.address} is not done within {within} s (ready_within). "
                + _explanation(host, "")
            )
        if time.monotonic() - said > _EVERY:
            said = time.monotonic()
            step = host.run("tail -n 1 /run/pulumi-jupyterhub/steps 2>/dev/null").stdout.strip()
            say(f"{host.address} is setting itself up: {step or 'starting'}")
        time.sleep(3)


def _is_ready(host: Host, desired: str, answers: str) -> bool:
    """Whether the last run was of exactly this state and script, and the machine answers now."""
    sums = [hashlib.sha256(text.encode()).hexdigest() for text in (desired, SCRIPT)]
    found = host.run(f"cat /run/pulumi-jupyterhub/ready && {answers}", timeout=120)
    return bool(found.returncode == 0 and found.stdout.split() == sums)


def _write(host: Host, path: str, text: str, mode: str = "") -> None:
    """Writes a file there; its text goes by standard input, which no other account can read."""
    first = (
        f"sudo install -D -m {mode} /dev/null {path}"
        if mode
        else f"sudo mkdir -p $(dirname {path})"
    )
    done = host.run(f"{first} && sudo tee {path} >/dev/null", text)
    if done.returncode:
        raise NotReady(
            f"{host.user}@{host.address} may not write {path}: {done.stderr.strip()}. The account "
            f"needs sudo without a password: {host.user} ALL=(ALL) NOPASSWD:ALL"
        )


def _explanation(host: Host, printed: str) -> str:
    """What the machine says of itself: the problem first, then the tail of its logs."""
    problem = host.run("cat /run/pulumi-jupyterhub/problem 2>/dev/null").stdout.strip()
    log = printed or host.run("sudo tail -n 25 /var/log/cloud-init-output.log 2>/dev/null").stdout
    cause = problem or "the converge script failed"
    return f"{host.address} is not ready: {cause}\nThe last lines it printed:\n{log.strip()}"


def reachable(host: Mapping[str, Any]) -> bool:
    """Whether a machine, as the state knows it, answers."""
    return bool(host_of(host).run(DOCKER.answers, timeout=40).returncode == 0)
