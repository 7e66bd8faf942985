"""A Docker engine that starts nothing: its containers are addresses at which something answers.

In the place of docker's client, in the process of a hub; `tests/servers/notebooks.py` answers.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import docker

PORT = 8888  # where DockerSpawner expects a server


def address(number: int) -> str:
    """The address of a container, on the loopback."""
    return f"127.77.{number // 250}.{number % 250 + 1}"


class StandIn(docker.APIClient):
    """Knows what hubs ask of an engine. What it holds is one for all threads."""

    network = ""
    # Seconds that every answer takes about containers with this in their names.
    slow: ClassVar[dict[str, float]] = {}
    on_threads: ClassVar[set[str]] = set()  # that have asked
    _known: ClassVar[dict[str, dict[str, Any]]] = {}
    _free: ClassVar[list[str]] = []
    ended: ClassVar[queue.Queue[str | None]] = queue.Queue()
    _numbers = itertools.count()
    _lock = threading.Lock()

    def __init__(self, **_: Any) -> None:
        super().__init__(base_url="tcp://127.0.0.1:1", version="1.41")  # asks nobody

    def _answer(self, name: str) -> None:
        self.on_threads.add(threading.current_thread().name)
        time.sleep(max([0.0, *(s for part, s in self.slow.items() if part in name)]))

    def _find(self, wanted: str) -> dict[str, Any]:
        found = self._known.get(wanted) or next(
            (each for each in self._known.values() if each["Name"] == f"/{wanted}"), None
        )
        self._answer(found["Name"] if found else wanted)
        if found is None:
            raise docker.errors.NotFound("no such container", NoSuchThing())
        return found

    def inspect_image(self, image: str) -> dict[str, Any]:
        self._answer(image)
        return {"Id": image, "Config": {"Cmd": ["start"]}}

    def inspect_volume(self, name: str) -> dict[str, Any]:
        self._answer(name)
        return {"Mountpoint": f"/var/lib/docker/volumes/{name}"}

    def inspect_container(self, container: str) -> dict[str, Any]:
        return self._find(container)

    def create_container(self, *args: Any, name: str = "", **kwargs: Any) -> dict[str, Any]:
        self._answer(name)
        with self._lock:
            found = self._free.pop() if self._free else address(next(self._numbers))
        identity = f"{found}-{time.monotonic_ns()}"
        self._known[identity] = {
            "Id": identity,
            "Name": f"/{name}",
            "State": {"Running": False, "ExitCode": 0, "Error": "", "FinishedAt": ""},
            "NetworkSettings": {"Networks": {self.network: {"IPAddress": found}}},
        }
        return {"Id": identity}

    def start(self, container: str, *args: Any, **kwargs: Any) -> None:
        self._find(container)["State"]["Running"] = True

    def stop(self, container: str, **kwargs: Any) -> None:
        self._find(container)["State"]["Running"] = False

    def remove_container(self, container: str, **kwargs: Any) -> None:
        gone = self._known.pop(self._find(container)["Id"])
        self._free.append(gone["NetworkSettings"]["Networks"][self.network]["IPAddress"])

    def events(self, **_: Any) -> Iterator[dict[str, Any]]:
        """Of what ends by itself; an engine that restarts says nothing for a while."""
        while True:
            name = self.ended.get()
            if name is None:
                raise ConnectionError("the engine restarts")
            yield {"Actor": {"Attributes": {"name": name}}}

    @classmethod
    def end(cls, name: str, is_heard: bool) -> None:
        """Ends the container of a user, as its program does when it fails."""
        found = next(each for each in cls._known.values() if each["Name"].endswith(f"-{name}"))
        if not is_heard:
            cls.ended.put(None)
        found["State"]["Running"] = False
        if is_heard:
            cls.ended.put(found["Name"].removeprefix("/"))

    def get_archive(self, *args: Any) -> Any:
        raise docker.errors.NotFound("no such folder", NoSuchThing())

    def logs(self, container: str, **kwargs: Any) -> bytes:
        return b""


class NoSuchThing:
    """The answer that docker's errors read."""

    status_code = 404
    reason = "Not Found"
