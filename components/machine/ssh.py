"""How this computer reaches a machine by ssh: key, known hosts, options."""

from __future__ import annotations

import base64
import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pydantic import SecretStr

from ..args import InputSecret
from ..errors import ConfigError
from .args import SshArgs

_MAGIC = b"openssh-key-v1\0"


@dataclass(frozen=True)
class Connection:
    """A machine behind ssh: `user@address:port` and the options to get there."""

    user: str
    address: pulumi.Output[str]
    port: int
    options: pulumi.Output[list[str]]

    @property
    def url(self) -> pulumi.Output[str]:
        """The form that Docker takes: `ssh://user@address:port`."""
        return self.address.apply(lambda at: f"ssh://{self.user}@{at}:{self.port}")

    @property
    def command(self) -> pulumi.Output[str]:
        """The form that a person types."""
        port = f" -p {self.port}" if self.port != 22 else ""
        return pulumi.Output.all(self.address, self.options).apply(
            lambda known: f"ssh {' '.join(known[1])}{port} {self.user}@{known[0]}"
        )


def folder(deployment: str) -> Path:
    """Where a deployment's key and known hosts are: the user's data folder, not the checkout."""
    base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return base / "pulumi-jupyterhub" / "ssh" / deployment


def connect(
    deployment: str,
    args: SshArgs,
    address: pulumi.Input[str],
    machine: pulumi.Input[str],
    key: InputSecret | None,
) -> Connection:
    """The way to a machine.

    `machine` is its id: a new machine behind the same address is another one, so that ssh takes
    its new host key, while a changed key of the same machine is refused.
    """
    _require_key(args)
    options = pulumi.Output.all(machine, _text(key)).apply(
        lambda known: ssh_options(deployment, args, key_file(deployment, args, known[1]), known[0])
    )
    return Connection(args.user, pulumi.Output.from_input(address), args.port, options)


def ssh_options(deployment: str, args: SshArgs, key: Path, machine: str) -> list[str]:
    """Options for ssh, without host and user; the same for Docker and for the converge script."""
    folder(deployment).mkdir(parents=True, exist_ok=True, mode=0o700)  # of known_hosts
    # Never an agent's other keys: sshd counts each as a failed login.
    values = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "ConnectTimeout": "15",
        "ServerAliveInterval": "15",
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": _portable(folder(deployment) / "known_hosts"),
        "HostKeyAlias": machine,
    } | ({"ProxyJump": args.jump_host} if args.jump_host else {})
    return ["-i", _portable(key), *(word for k, v in values.items() for word in ("-o", f"{k}={v}"))]


def _require_key(args: SshArgs) -> None:
    """Stops an update that could not log in. A preview, as by CI, needs no key."""
    missing = args.key_file and not args.key_file.expanduser().is_file()
    if missing and not pulumi.runtime.is_dry_run():
        raise ConfigError(
            f"ssh.key_file: found {args.key_file}, which is no file here; allowed: the path of "
            "your private key. Nothing was changed."
        )


def _portable(path: Path) -> str:
    """The path with `~`, which ssh expands: in the state it is the same for everybody."""
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)  # as ssh does: it doesn't look at HOME
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def key_file(deployment: str, args: SshArgs, text: str | None) -> Path:
    """The private key's file: the user's own, or the stack's, put where ssh can read it."""
    if args.key_file:
        return args.key_file.expanduser()
    path = folder(deployment) / "key"
    if text and text.startswith("-----BEGIN"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists() or path.read_text() != text:
            partial = path.with_name(f"key.{os.getpid()}")
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(text)
            partial.rename(path)
    return path


def public_of(key: InputSecret | None) -> pulumi.Output[str]:
    """The public key of the stack's own key; nothing where that can't be read. Not a secret."""
    known = _text(key).apply(
        lambda text: public_key(text) if text and text.startswith("-----BEGIN") else ""
    )
    return pulumi.Output.unsecret(known)


def _text(key: InputSecret | None) -> pulumi.Output[str | None]:
    """The private key. Plain here, or the paths and options made with it would be secrets, too."""
    plain = key.get_secret_value() if isinstance(key, SecretStr) else key
    return pulumi.Output.unsecret(pulumi.Output.from_input(plain))


def public_key(private: str) -> str:
    """The public key inside an unencrypted private key in OpenSSH's format.

    Source: PROTOCOL.key of OpenSSH: magic, cipher, kdf, kdf options, number of keys, public key.
    """
    body = "".join(line for line in private.splitlines() if not line.startswith("-----"))
    data = base64.b64decode(body)
    if not data.startswith(_MAGIC):
        raise ValueError("a private key in OpenSSH's format, made by ssh-keygen")
    at = len(_MAGIC)
    for _ in range(3):
        _, at = _string(data, at)
    blob, _ = _string(data, at + 4)
    kind, _ = _string(blob, 0)
    return f"{kind.decode()} {base64.b64encode(blob).decode()} pulumi-jupyterhub"


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 4 + int.from_bytes(data[at : at + 4], "big")
    return data[at + 4 : end], end


def run(
    user: str,
    address: str,
    port: int,
    options: Sequence[str],
    command: str,
    given: str = "",
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Runs a shell command on the machine; `given` is its standard input."""
    words = ["ssh", *options, "-p", str(port), f"{user}@{address}", command]
    try:
        return subprocess.run(
            words, input=given, capture_output=True, text=True, check=False, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 255, "", f"no answer within {timeout:.0f} s")
