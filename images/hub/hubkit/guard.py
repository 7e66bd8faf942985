"""The guard: keeps the users' network closed, hub and proxy running, and cleans up at the end."""

from __future__ import annotations

import logging
import signal
import threading
import time

import docker
from docker.models.containers import Container

from . import firewall, labels
from .reach import Names
from .settings import GuardSettings, load_guard

EVERY = 2.0  # seconds between two looks
GRACE = 3.0  # seconds that a container is left stopped, so that a replacement can remove it

log = logging.getLogger("guard")


class Guard:
    """What the guard does for one deployment."""

    def __init__(self, settings: GuardSettings, engine: docker.DockerClient) -> None:
        self._settings = settings
        self._engine = engine
        self._stopped: dict[str, float] = {}
        self.names = Names(settings.network)

    def look(self) -> None:
        """One round: close what is open, start what was stopped."""
        network = self._settings.network
        if not firewall.is_closed(network):
            firewall.close(network, self.names.addresses)
            log.info("closed the network %s", network.name)
        self._start_again()

    def _containers(self, *filters: str, running_too: bool = True) -> list[Container]:
        own = [f"{labels.DEPLOYMENT}={self._settings.deployment}", *filters]
        search: dict[str, object] = {"label": own}
        if not running_too:
            search["status"] = "exited"
        return list(self._engine.containers.list(all=True, filters=search))

    def _start_again(self) -> None:
        """`restart: always` doesn't bring back what somebody stopped by hand; this does."""
        now = time.monotonic()
        stopped = self._containers(f"{labels.KEEP_RUNNING}=true", running_too=False)
        since = {c.id: self._stopped.get(c.id, now) for c in stopped}
        for container in stopped:
            if now - since[container.id] >= GRACE:
                log.info("starting %s again", container.name)
                container.start()
        self._stopped = since

    def end(self) -> None:
        """Called when this container is to end.

        While there is a hub, another guard follows (a replacement) or comes back (a restart). When
        there is none, the deployment is being destroyed: users' servers belong to no resource and
        would keep their network in use.
        """
        if self._containers(f"{labels.ROLE}=hub"):
            return
        servers = self._containers(f"{labels.ROLE}=user")
        log.info("the hub is gone: stopping %d servers of users", len(servers))
        threads = [threading.Thread(target=_remove, args=(server,)) for server in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        firewall.forget(self._settings.network)


def _remove(server: Container) -> None:
    try:
        server.stop(timeout=10)  # a kernel gets the time to write its file
        server.remove(force=True)
    except docker.errors.NotFound:
        pass  # it removed itself
    except docker.errors.APIError as error:
        if "already in progress" not in str(error):
            log.warning("%s: %s", server.name, error)


def main() -> None:
    """Runs until told to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    settings = load_guard()
    guard = Guard(settings, docker.from_env())
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    signal.signal(signal.SIGINT, lambda *_: ending.set())
    threading.Thread(target=guard.names.watch, args=(ending,), daemon=True).start()
    while not ending.is_set():
        try:
            guard.look()
        except (OSError, docker.errors.DockerException) as error:
            log.warning("engine not answering: %s", error)  # it restarts; so does this, later
        ending.wait(EVERY)
    guard.end()


if __name__ == "__main__":
    main()
