"""A stand-in for the APIs of GitHub and GitLab: comments, issues and pull requests in memory.

It knows the paths that components/forge calls, and refuses every other one. Paths and answers are
as docs.github.com/rest and docs.gitlab.com/api describe them.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Item = dict[str, Any]


class Forge:
    """What people would see: notes on the one request, issues, further requests."""

    def __init__(self) -> None:
        self.notes: list[Item] = []
        self.issues: list[Item] = []
        self.requests: list[Item] = []
        self.read_only = False
        self.description = ""
        self.calls: list[str] = []

    def texts(self) -> list[str]:
        """The notes as people read them."""
        return [note["body"] for note in self.notes]


class GitHub(Forge):
    """github.com/o/r, its pull request 7."""

    def answer(self, method: str, path: str, query: Item, body: Item) -> tuple[int, Any]:
        bot = {"user": {"type": "Bot"}}
        match [method, *path.strip("/").split("/")]:
            case ["GET", "repos", "o", "r", "issues", "7", "comments"]:
                return 200, _page(self.notes, query)
            case ["POST", "repos", "o", "r", "issues", "7", "comments"]:
                return 201, _added(self.notes, body | bot, "https://github.example/7#")
            case ["PATCH", "repos", "o", "r", "issues", "comments", number]:
                return 200, _changed(self.notes, int(number), body)
            case ["GET", "repos", "o", "r", "issues"]:
                return 200, _page([i for i in self.issues if i.get("state") != "closed"], query)
            case ["POST", "repos", "o", "r", "issues"]:
                return 201, _added(self.issues, body | bot, "https://github.example/i/")
            case ["POST", "repos", "o", "r", "issues", number, "comments"]:
                return 201, {"id": 1, "html_url": "x"}
            case ["PATCH", "repos", "o", "r", "issues", number]:
                return 200, _changed(self.issues, int(number), body)
            case ["GET", "repos", "o", "r", "commits", _, "pulls"]:
                return 200, [{"body": self.description}]
            case ["GET", "repos", "o", "r", "pulls"]:
                return 200, self.requests
            case ["POST", "repos", "o", "r", "pulls"]:
                return 201, _added(self.requests, body, "https://github.example/p/")
            case ["GET", "repos", "o", "r"]:
                return 200, {"default_branch": "main"}
        return 404, {"message": "Not Found"}


class GitLab(Forge):
    """Project 5, its merge request 7; this token's user has the id 42."""

    def answer(self, method: str, path: str, query: Item, body: Item) -> tuple[int, Any]:
        own = {"author": {"id": 42}}
        match [method, *path.strip("/").split("/")]:
            case ["GET", "user"]:
                return 200, {"id": 42}
            case ["GET", "projects", "5", "merge_requests", "7", "notes"]:
                return 200, _page(self.notes, query)
            case ["POST", "projects", "5", "merge_requests", "7", "notes"]:
                return 201, _added(self.notes, body | own, "https://gitlab.example/7#")
            case ["PUT", "projects", "5", "merge_requests", "7", "notes", number]:
                return 200, _changed(self.notes, int(number), body)
            case ["GET", "projects", "5", "merge_requests", "7"]:
                return 200, {"description": self.description}
            case ["GET", "projects", "5", "repository", "commits", _, "merge_requests"]:
                return 200, [{"description": self.description}]
            case ["GET", "projects", "5", "issues"]:
                found = [i for i in self.issues if i.get("state_event") != "close"]
                return 200, _page(found, query)
            case ["POST", "projects", "5", "issues"]:
                return 201, _added(self.issues, body | own, "https://gitlab.example/i/")
            case ["POST", "projects", "5", "issues", number, "notes"]:
                return 201, {"id": 1}
            case ["PUT", "projects", "5", "issues", number]:
                return 200, _changed(self.issues, int(number), body)
            case ["GET", "projects", "5", "merge_requests"]:
                return 200, self.requests
            case ["POST", "projects", "5", "merge_requests"]:
                return 201, _added(self.requests, body, "https://gitlab.example/m/")
        return 404, {"message": "404 Not Found"}


def _added(items: list[Item], body: Item, url: str) -> Item:
    number = len(items) + 1
    made = body | {"id": number, "number": number, "iid": number}
    made |= {"html_url": f"{url}{number}", "web_url": f"{url}{number}"}
    items.append(made)
    return made


def _changed(items: list[Item], number: int, body: Item) -> Item:
    items[number - 1].update(body)
    return items[number - 1]


def _page(items: list[Item], query: Item) -> list[Item]:
    size, page = int(query["per_page"][0]), int(query["page"][0])
    return items[size * (page - 1) : size * page]


@contextmanager
def serving(forge: GitHub | GitLab) -> Iterator[str]:
    """Its address, on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or "{}")
            forge.calls.append(f"{self.command} {parts.path}")
            told = self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN") or ""
            if not re.fullmatch(r"(Bearer )?a-token", told):
                status, answer = 401, {"message": "Bad credentials"}
            elif forge.read_only and self.command != "GET":
                status, answer = 403, {"message": "Resource not accessible by integration"}
            else:
                query = parse_qs(parts.query)
                status, answer = forge.answer(self.command, parts.path, query, body)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = _any

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
