"""The user data of a new VM: little, and then left alone (docs/decisions/0005)."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import Any

import yaml

from .args import SshArgs
from .desired import SCRIPT

LIMIT = 16 * 1024  # bytes; AWS takes no more
_HOME = "/etc/pulumi-jupyterhub"


def user_data(
    ssh: SshArgs, own_key: str, desired: str, extra: Mapping[str, Any] | None = None
) -> bytes:
    """The user data, compressed: account, converge script, its first run. No secrets in it.

    `own_key` is the stack's public key, `desired` the text of desired.conf, `extra` is cloud-init
    of the user's own: lists are added to ours, other values win.
    """
    account = {
        "name": ssh.user,
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "lock_passwd": True,
        # The others are the converge script's, which can also take them away again.
        "ssh_authorized_keys": [own_key] if own_key else list(ssh.keys),
    }
    own: dict[str, Any] = {
        "users": ["default", account],
        "ssh_pwauth": False,
        "write_files": [
            _file(f"{_HOME}/converge.sh", SCRIPT, "0755"),
            _file(f"{_HOME}/desired.conf", desired, "0644"),
        ],
        "runcmd": [["/bin/bash", f"{_HOME}/converge.sh"]],
    }
    document = "#cloud-config\n" + yaml.safe_dump(merged(own, extra or {}), width=1000)
    packed = gzip.compress(document.encode(), 9, mtime=0)
    if len(packed) > LIMIT:
        raise ValueError(
            f"user data of {len(packed)} bytes compressed; allowed: {LIMIT}. Put large files on a "
            "volume or behind a URL, and fetch them in cloud_init's runcmd"
        )
    return packed


def _file(path: str, content: str, permissions: str) -> dict[str, str]:
    packed = base64.b64encode(gzip.compress(content.encode(), 9, mtime=0)).decode()
    return {"path": path, "permissions": permissions, "encoding": "gz+b64", "content": packed}


def merged(own: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Both documents as one: lists added, sections merged, else the extra one's value."""
    result = dict(own)
    for key, value in extra.items():
        mine = own.get(key)
        if isinstance(mine, dict) and isinstance(value, Mapping):
            result[key] = merged(mine, value)
        elif isinstance(mine, list) and isinstance(value, list):
            result[key] = mine + value
        else:
            result[key] = value
    return result
