"""Private services that users' servers may reach by name: what the names mean, looked up again."""

from __future__ import annotations

import logging
import socket
import threading

from . import firewall
from .settings import Network

EVERY, SOON = 60.0, 5.0  # seconds; soon while a name is not found yet, as when a machine starts

log = logging.getLogger("guard")


class Names:
    """The names, and the addresses that they had when they were last found."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._missing: set[str] = set()
        self._known: dict[str, set[tuple[str, int]]] = {
            each: set() for each in network.reach if firewall.is_name(each)
        }

    @property
    def addresses(self) -> set[tuple[str, int]]:
        """Addresses with ports, of all names."""
        return set().union(*self._known.values())

    def look_up(self) -> None:
        """Asks for all of them. A name that isn't found just now keeps what it had."""
        for each in self._known:
            host, _, port = each.rpartition(":")
            try:
                found = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)
            except OSError as error:
                if each not in self._missing:
                    log.warning("%s, which servers may reach, is not found: %s", host, error)
                self._missing.add(each)
            else:
                self._missing.discard(each)
                self._known[each] = {(str(address[0]), int(port)) for *_, address in found}

    def watch(self, ending: threading.Event) -> None:
        """Until told to end. Apart from the guard's look: a lookup can take long."""
        while self._known and not ending.is_set():
            self.look_up()
            firewall.name(self._network, self.addresses)
            ending.wait(EVERY if all(self._known.values()) else SOON)
