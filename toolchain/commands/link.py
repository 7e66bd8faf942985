"""A link that puts a repository into whoever's home clicks it, and opens a notebook of it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from urllib.parse import urlencode

from ..setup.steps import Problem
from ..stacks.stack import existing


def arguments(parser: ArgumentParser) -> None:
    """What it takes besides the stack."""
    parser.add_argument("--repo", default="", metavar="ADDRESS")
    parser.add_argument("--branch", default="main")
    parser.add_argument("--file", default="", help="notebook that is opened")


def run(given: Namespace) -> None:
    """Runs it."""
    print_link(given.stack, given.repo, given.branch, given.file)


def print_link(name: str, repository: str, branch: str, file: str) -> None:
    """Prints the link."""
    if not repository.startswith(("https://", "http://")):
        raise Problem("Give the repository: make link REPO=https://github.com/you/course")
    stack, _ = existing(name)
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
