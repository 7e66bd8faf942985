"""The rules that keep users' containers from the host and from the cloud's metadata."""

from __future__ import annotations

import hashlib
import subprocess

from .settings import Network

METADATA = ("169.254.0.0/16", "fd00:ec2::254")
NAMES_AT = "169.254.169.254"  # on Google's cloud names are looked up at the metadata address


class NotClosed(Exception):
    """The users' network is open, so no server may start. Its text says what to do."""


def table_name(network: Network) -> str:
    """Name of the nftables table, one for each users' network."""
    return "jh_" + hashlib.sha256(network.name.encode()).hexdigest()[:8]


def ruleset(network: Network) -> str:
    """The whole table, replaced at once when it is loaded.

    A table of its own at prerouting, before anything Docker decides, so that no restart of the
    engine opens it. Answers to what the host itself began are let through.
    """
    name = table_name(network)
    ports = ", ".join(map(str, network.open_ports))
    bridges = ", ".join(f'"{bridge}"' for bridge in (network.bridge, *network.extra_bridges))
    v4, v6 = METADATA
    return f"""
table inet {name}
delete table inet {name}
table inet {name} {{
  chain prerouting {{
    type filter hook prerouting priority -150; policy accept;
    iifname {{ {bridges} }} jump closed
  }}
  chain closed {{
    ip daddr {NAMES_AT} meta l4proto {{ tcp, udp }} th dport 53 accept
    ip daddr {v4} drop
    ip6 daddr {v6} drop
    ct state established,related accept
    iifname "{network.bridge}" ip daddr {network.gateway} tcp dport {{ {ports} }} accept
    fib daddr type local drop
  }}
}}
"""


def is_closed(network: Network) -> bool:
    """Whether the rules are loaded."""
    command = ["nft", "list", "chain", "inet", table_name(network), "closed"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    return shown.returncode == 0 and "fib daddr type local drop" in shown.stdout


def close(network: Network) -> None:
    """Loads the rules, in one step."""
    subprocess.run(["nft", "-f", "-"], input=ruleset(network), text=True, check=True)


def forget(network: Network) -> None:
    """Takes the rules away, when the network itself goes."""
    subprocess.run(["nft", "delete", "table", "inet", table_name(network)], check=False)


def require(network: Network) -> None:
    """Fails where the rules are not loaded: better no server than an open one."""
    if not is_closed(network):
        raise NotClosed(
            "The network that keeps users apart is not closed, so no server starts. "
            "Your teacher can mend it: make up."
        )
