"""A cloud in a file, for tests: it remembers what was made, and fails where it is told to."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import CLOUD, ID_PREFIX

Values = dict[str, Any]


class Injected(Exception):
    """A failure that the test asked for."""


class FakeCloud:
    """Resources by id, in one JSON file that parallel calls share.

    `fail` in the same file lists failures to come:
    `{"type": …, "operation": "create", "message": …, "times": 1}`.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "cloud.json"
        folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of_the_test(cls) -> FakeCloud | None:
        """The cloud that a test set up; None in a preview, which needs none."""
        folder = os.environ.get(CLOUD)
        return cls(Path(folder)) if folder else None

    @contextlib.contextmanager
    def _open(self) -> Iterator[dict[str, Any]]:
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = json.loads(self._file.read_text()) if self._file.exists() else {}
            known.setdefault("resources", {})
            yield known
            partial = self._file.with_suffix(".new")
            partial.write_text(json.dumps(known, indent=1, sort_keys=True))
            partial.rename(self._file)

    @property
    def resources(self) -> dict[str, Values]:
        """All that is there: id → {type, inputs, outputs}."""
        with self._open() as known:
            return dict(known["resources"])

    def edit(self, change: Any) -> None:
        """Lets a test change the cloud by hand."""
        with self._open() as known:
            change(known)

    def _may(self, known: dict[str, Any], kind: str, operation: str) -> None:
        for failure in known.get("fail", []):
            wanted = failure["type"] == kind and failure["operation"] == operation
            if wanted and failure.get("times", 1) > 0:
                failure["times"] = failure.get("times", 1) - 1
                raise Injected(failure["message"])

    def create(self, kind: str, inputs: Values, outputs: Values) -> tuple[str, Values]:
        """Makes it under a new id."""
        failed: Injected | None = None
        with self._open() as known:
            try:
                self._may(known, kind, "create")
            except Injected as error:
                failed = error
            else:
                known["count"] = known.get("count", 0) + 1
                short = kind.rsplit(":", 1)[-1].lower()
                id = f"{ID_PREFIX}{short}-{known['count']}"
                known["resources"][id] = {"type": kind, "inputs": inputs, "outputs": outputs}
        if failed:  # raised outside, so that the count of failures is kept
            raise failed
        return id, outputs

    def read(self, id: str) -> Values | None:
        """What is there, or None."""
        return self.resources.get(id)

    def update(self, id: str, inputs: Values, outputs: Values) -> None:
        """Changes it in place."""
        failed: Injected | None = None
        with self._open() as known:
            try:
                self._may(known, known["resources"][id]["type"], "update")
            except Injected as error:
                failed = error
            else:
                known["resources"][id] |= {"inputs": inputs, "outputs": outputs}
        if failed:
            raise failed

    def delete(self, id: str) -> None:
        """Removes it; gone already is fine."""
        with self._open() as known:
            known["resources"].pop(id, None)
