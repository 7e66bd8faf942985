"""GitLab: notes on merge requests, issues, merge requests. Source: docs.gitlab.com/api."""

from __future__ import annotations

import os
from typing import Any

from . import mark, marked
from .api import Api, ForgeError, needed, quoted


def comment(marker: str, text: str) -> str:
    """Writes the one note with this mark on the merge request, or writes over it."""
    request = os.environ.get("CI_MERGE_REQUEST_IID")
    if not request:
        raise ForgeError("this run belongs to no merge request")
    notes = f"{_project()}/merge_requests/{request}/notes"
    found = _own(notes, "body", marker)
    body = {"body": marked(text, marker)}
    if found:
        made = _api().call("PUT", f"{notes}/{found['id']}", body)
    else:
        made = _api().call("POST", notes, body)
    return f"{os.environ.get('CI_PROJECT_URL', '')}/-/merge_requests/{request}#note_{made['id']}"


def issue(marker: str, title: str, text: str) -> str:
    """Opens the one issue with this mark, or writes over it."""
    found = _own(f"{_project()}/issues?state=opened", "description", marker)
    body = {"title": title, "description": marked(text, marker)}
    if found:
        made = _api().call("PUT", f"{_project()}/issues/{found['iid']}", body)
    else:
        made = _api().call("POST", f"{_project()}/issues", body)
    return str(made["web_url"])


def close(marker: str, why: str) -> str:
    """Closes the issue with this mark, if there is one."""
    found = _own(f"{_project()}/issues?state=opened", "description", marker)
    if not found:
        return "nothing to close"
    path = f"{_project()}/issues/{found['iid']}"
    _api().call("POST", f"{path}/notes", {"body": why})
    _api().call("PUT", path, {"state_event": "close"})
    return str(found["web_url"])


def description() -> str:
    """The description of the merge request, or of the one that brought the commit."""
    if request := os.environ.get("CI_MERGE_REQUEST_IID"):
        # The variable that GitLab sets is cut after 2,700 characters.
        found = _api().call("GET", f"{_project()}/merge_requests/{request}")
        return str(found.get("description") or "")
    sha = needed("CI_COMMIT_SHA", "GitLab CI sets it")
    merged = _api().call("GET", f"{_project()}/repository/commits/{sha}/merge_requests")
    return str((merged[0].get("description") if merged else "") or "")


def propose(branch: str, title: str, text: str) -> str:
    """Opens a merge request for a branch that is pushed already, or leaves the open one."""
    requests = f"{_project()}/merge_requests"
    query = f"state=opened&source_branch={quoted(branch)}"
    open_ones = _api().call("GET", f"{requests}?{query}")
    if open_ones:
        return str(open_ones[0]["web_url"])
    target = needed("CI_DEFAULT_BRANCH", "GitLab CI sets it")
    body = {
        "title": title,
        "description": text,
        "source_branch": branch,
        "target_branch": target,
        "remove_source_branch": True,
    }
    return str(_api().call("POST", requests, body)["web_url"])


def remote() -> tuple[str, str]:
    """Where git pushes to, and the login for it."""
    return f"{needed('CI_PROJECT_URL', 'GitLab CI sets it')}.git", f"oauth2:{_token()}"


def _own(path: str, field: str, marker: str) -> Any:
    """What carries the mark and was written by this token's user: people can copy a mark."""
    own = _api().call("GET", "/user")["id"]
    for each in _api().all(path):
        is_own = (each.get("author") or {}).get("id") == own
        if is_own and str(each.get(field) or "").startswith(mark(marker)):
            return each
    return None


def _api() -> Api:
    return Api(needed("CI_API_V4_URL", "GitLab CI sets it"), {"PRIVATE-TOKEN": _token()})


def _token() -> str:
    return needed(
        "GITLAB_TOKEN",
        "make a project access token with the role Developer and the scopes api and "
        "write_repository, and set it as a masked CI/CD variable",
    )


def _project() -> str:
    return f"/projects/{needed('CI_PROJECT_ID', 'GitLab CI sets it')}"
