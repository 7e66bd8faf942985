"""A link that puts a repository into whoever's home clicks it, and opens a notebook of it."""

from __future__ import annotations

from urllib.parse import urlencode

from . import commands
from .steps import Problem


def print_link(name: str, repository: str, branch: str, file: str) -> None:
    """Prints the link."""
    if not repository.startswith(("https://", "http://")):
        raise Problem("Give the repository: make link REPO=https://github.com/you/course")
    stack, _ = commands.existing(name)
    url = stack.outputs().get("url")
    if url is None:
        raise Problem(f"The hub has no address yet: make up STACK={name}")
    print(link(str(url), repository, branch, file))


def link(hub: str, repository: str, branch: str, file: str) -> str:
    """The link, as nbgitpuller takes it."""
    folder = repository.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
    opened = f"lab/tree/{folder}/{file}" if file else f"lab/tree/{folder}"
    query = urlencode({"repo": repository, "branch": branch, "urlpath": opened})
    return f"{hub}/hub/user-redirect/git-pull?{query}"
