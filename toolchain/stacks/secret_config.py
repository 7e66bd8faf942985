"""Secrets of a stack, made once into its config, so that they survive `down`, `up` and upgrades."""

from __future__ import annotations

import re
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ..setup.steps import Problem

_CONSONANTS, _VOWELS = "bdfghjkmnprstvz", "aeiou"


def readable_password() -> str:
    """Four words of two syllables, 50 bits: a class can read it from the board."""

    def word() -> str:
        return "".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(2))

    return "-".join(word() for _ in range(4))


def ssh_key() -> str:
    """A private key in OpenSSH's format, without a passphrase: the stack's secrets keep it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "key"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)]
        try:
            subprocess.run(command, check=True)
        except FileNotFoundError:
            raise Problem(
                "ssh-keygen is missing. Install it as root: sudo apt-get install -y openssh-client"
            ) from None
        return file.read_text()


MAKERS: Mapping[str, Callable[[], str]] = {
    "class_password": readable_password,
    "admin_password": lambda: secrets.token_urlsafe(30),  # JupyterHub asks for 32 characters
    "cookie_secret": lambda: secrets.token_hex(32),
    "crypt_key": lambda: secrets.token_hex(32),
    "roster_key": lambda: secrets.token_hex(32),
    "dask_key": lambda: secrets.token_hex(32),
    "cluster_token": lambda: secrets.token_hex(32),
    "grafana_password": lambda: secrets.token_urlsafe(24),
    "ssh_key": ssh_key,
}
# Not every stack needs these: what its file says where it does.
_ELSEWHERE = r"^ {2}jupyterhub:platform: *[\"']?(?!local\b)\w"
_ONLY_WITH = {
    "dask_key": _ELSEWHERE,
    "ssh_key": _ELSEWHERE,
    "cluster_token": r"\bkind: *[\"']?k3s\b",
    "grafana_password": r"^ {2}jupyterhub:monitoring:",
}
_GIVEN = {"oidc_client_secret": r"\bkind: *[\"']?oidc\b"}  # by somebody else, not made here


# `{secure: …}` on a line of its own below the key, or beside it.
_SALT = re.compile(r"^encryptionsalt:.*\n?", re.M)
_UNREADABLE = re.compile(r"(?<=:)\s*\n\s+secure: *\S.*|\{ *secure: *[^}]+\}")
_INVENTED = f' "{"0" * 64}"'
_BLOCK = re.compile(r"^ {2}jupyterhub:secrets:\n((?: {4,}.*\n?)*)", re.M)


def readable(stack_file: str) -> str:
    """A stack file's text with invented values for its secrets, which only their owner can read."""
    text = _SALT.sub("", stack_file)
    text = _UNREADABLE.sub(_INVENTED, text)
    return _with(text, [*_lacking(text), *_wanted(_GIVEN, text)])


def completed(stack_file: str) -> str:
    """A stack file's text with invented values for what is still to be made: to check the rest."""
    return _with(stack_file, _lacking(stack_file))


def _with(text: str, names: list[str]) -> str:
    lines = "".join(f"    {name}:{_INVENTED}\n" for name in names)
    if not lines:
        return text
    if _BLOCK.search(text):
        return _BLOCK.sub(lambda block: f"{block[0].rstrip()}\n{lines}", text)
    return re.sub(
        r"^config:.*\n", lambda c: f"{c[0]}  jupyterhub:secrets:\n{lines}", text, flags=re.M
    )


def has_secrets(stack_file: str) -> bool:
    """Whether a stack file's text has what only its owner can read."""
    return bool(_SALT.search(stack_file))


def without_secrets(stack_file: str) -> str:
    """A stack file's text as a template has it: without the secrets that the commands make."""
    return _BLOCK.sub("", _SALT.sub("", stack_file))


def missing(stack_file: Path) -> list[str]:
    """Names that the stack file has no secret for yet."""
    return _lacking(stack_file.read_text())


def _lacking(text: str) -> list[str]:
    wanted = _wanted(_ONLY_WITH | dict.fromkeys(MAKERS.keys() - _ONLY_WITH, ""), text)
    return [name for name in MAKERS if name in wanted]


def _wanted(signs: Mapping[str, str], text: str) -> set[str]:
    """Names whose sign a stack file has, and that it has no secret for."""
    block = _BLOCK.search(text)
    present = set(re.findall(r"^ {4}(\w+):", block[1], re.M)) if block else set()
    return {name for name, sign in signs.items() if re.search(sign, text, re.M)} - present
