"""Files of any name are opened, saved, downloaded and deleted: Traefik lets their paths pass."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
import requests

from tests.checkout import Checkout
from tests.client import User
from tests.local.conftest import student

# Each as JupyterLab writes it into a path: `%25`, `%23`, `%2525`, `%3B`, `%3F`, `%5C`.
NAMES = ["100%.ipynb", "a#b.txt", "50%25.csv", "a;b.md", "x?y.txt", "a\\b.txt", "lesson 1/ü&+.txt"]


@pytest.fixture(scope="module")
def anna(class_hub: Checkout) -> Iterator[User]:
    user = student(class_hub, "filenames")
    user.start("Small")
    folder = user.put("api/contents/lesson%201", {"type": "directory"})
    assert folder.status_code == 201, folder.text
    yield user
    user.stop()


def content(name: str) -> dict[str, object]:
    if name.endswith(".ipynb"):
        empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        return {"type": "notebook", "content": empty}
    return {"type": "file", "format": "text", "content": f"in {name}"}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_saved_opened_downloaded_and_deleted(anna: User, name: str) -> None:
    path = quote(name)  # JupyterLab, too, leaves the slash between folders as it is
    kept = content(name)
    assert anna.put(f"api/contents/{path}", kept).status_code == 201
    assert anna.post(f"api/contents/{path}/checkpoints").status_code == 201
    opened = anna.get(f"api/contents/{path}").json()
    assert (opened["path"], opened["content"]) == (name, kept["content"])
    downloaded = anna.get(f"files/{path}?download=1")
    assert downloaded.status_code == 200
    assert "attachment" in downloaded.headers["content-disposition"]
    if kept["type"] == "file":
        assert downloaded.text == kept["content"]
    assert anna.get(f"lab/tree/{path}").status_code == 200
    assert anna.delete(f"api/contents/{path}").status_code == 204
    assert anna.get(f"api/contents/{path}").status_code == 404


def test_a_whole_path_as_one_part_gets_through(anna: User) -> None:
    """As real-time collaboration asks for a document."""
    assert anna.put("api/contents/lesson%201/x.txt", content("x.txt")).status_code == 201
    assert anna.get("files/lesson%201%2Fx.txt").text == "in x.txt"


def test_no_encoding_leads_to_somebodys_server_by_another_way(
    class_hub: Checkout, anna: User
) -> None:
    """Traefik and the servers read a path alike; a null character gets to none."""
    assert anna.get("api").json()["version"]
    for way in (f"/user%2F{anna.name}/api", f"/hub/..%2Fuser/{anna.name}/api"):
        answer = anna.session.get(f"{class_hub.url}{way}")
        assert answer.status_code == 404
        assert "X-JupyterHub-Version" in answer.headers
    refused = requests.get(f"{anna.at('files/a%00b')}", timeout=10)
    assert (refused.status_code, refused.content) == (400, b"")
