"""Puts changed files onto a branch of the forge, and asks people to merge it."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import ForgeError, here

_AUTHOR = ("-c", "user.name=pulumi-jupyterhub CI", "-c", "user.email=ci@localhost")


def propose(files: Sequence[Path], branch: str, title: str, text: str) -> str:
    """The pull request's address, or why there is none. The branch is made anew each time."""
    if not _git("status", "--porcelain", "--", *files):
        return "Nothing has changed: no pull request."
    forge = here()
    url, login = forge.remote()
    _git("switch", "-C", branch)
    _git("add", "--", *files)
    _git(*_AUTHOR, "commit", "-m", title)
    _git("push", "--force", url, f"HEAD:refs/heads/{branch}", login=login)
    return str(forge.propose(branch, title, text))


def _git(*words: str | Path, login: str = "") -> str:
    done = subprocess.run(
        ["git", *map(str, words)],
        env=os.environ | _header(login),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ForgeError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _header(login: str) -> dict[str, str]:
    """A login for one call of git: in no file, in no words of a command."""
    if not login:
        return {}
    value = f"Authorization: Basic {base64.b64encode(login.encode()).decode()}"
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": value,
    }
