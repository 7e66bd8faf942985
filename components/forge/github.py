"""GitHub: comments on pull requests, issues, pull requests. Source: docs.github.com/rest."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from . import mark, marked
from .api import Api, ForgeError, needed, quoted


def comment(marker: str, text: str) -> str:
    """Writes the one comment with this mark on the pull request, or writes over it."""
    number = (_event().get("pull_request") or {}).get("number")
    if not number:
        raise ForgeError("this run belongs to no pull request")
    found = _own(f"{_project()}/issues/{number}/comments", marker)
    body = {"body": marked(text, marker)}
    if found:
        made = _api().call("PATCH", f"{_project()}/issues/comments/{found['id']}", body)
    else:
        made = _api().call("POST", f"{_project()}/issues/{number}/comments", body)
    return str(made["html_url"])


def issue(marker: str, title: str, text: str) -> str:
    """Opens the one issue with this mark, or writes over it."""
    found = _own(f"{_project()}/issues?state=open", marker)
    body = {"title": title, "body": marked(text, marker)}
    if found:
        made = _api().call("PATCH", f"{_project()}/issues/{found['number']}", body)
    else:
        made = _api().call("POST", f"{_project()}/issues", body)
    return str(made["html_url"])


def close(marker: str, why: str) -> str:
    """Closes the issue with this mark, if there is one."""
    found = _own(f"{_project()}/issues?state=open", marker)
    if not found:
        return "nothing to close"
    path = f"{_project()}/issues/{found['number']}"
    _api().call("POST", f"{path}/comments", {"body": why})
    _api().call("PATCH", path, {"state": "closed"})
    return str(found["html_url"])


def description() -> str:
    """The description of the pull request, or of the one that brought the commit."""
    event = _event()
    if "pull_request" in event:
        return str(event["pull_request"].get("body") or "")
    sha = needed("GITHUB_SHA", "GitHub Actions sets it")
    merged = _api().call("GET", f"{_project()}/commits/{sha}/pulls")
    return str((merged[0].get("body") if merged else "") or "")


def propose(branch: str, title: str, text: str) -> str:
    """Opens a pull request for a branch that is pushed already, or leaves the open one."""
    owner = needed("GITHUB_REPOSITORY", "GitHub Actions sets it").split("/")[0]
    head = quoted(f"{owner}:{branch}")
    open_ones = _api().call("GET", f"{_project()}/pulls?state=open&head={head}")
    if open_ones:
        return str(open_ones[0]["html_url"])
    base = _api().call("GET", _project())["default_branch"]
    body = {"title": title, "head": branch, "base": base, "body": text}
    return str(_api().call("POST", f"{_project()}/pulls", body)["html_url"])


def remote() -> tuple[str, str]:
    """Where git pushes to, and the login for it."""
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    project = needed("GITHUB_REPOSITORY", "GitHub Actions sets it")
    return f"{server}/{project}.git", f"x-access-token:{_token()}"


def _own(path: str, marker: str) -> Any:
    """What carries the mark and was written by a program: people can copy a mark."""
    for each in _api().all(path):
        written_by_bot = (each.get("user") or {}).get("type") == "Bot"
        if written_by_bot and str(each.get("body") or "").startswith(mark(marker)):
            return each
    return None


def _api() -> Api:
    url = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {_token()}",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return Api(url, headers)


def _token() -> str:
    return needed("GITHUB_TOKEN", "give the step `env: GITHUB_TOKEN: ${{ github.token }}`")


def _project() -> str:
    return f"/repos/{needed('GITHUB_REPOSITORY', 'GitHub Actions sets it')}"


def _event() -> dict[str, Any]:
    path = os.environ.get("GITHUB_EVENT_PATH")
    return dict(json.loads(Path(path).read_text())) if path else {}
