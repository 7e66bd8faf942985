"""The rules that keep users' containers from the host and from the cloud's metadata."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from .settings import Network

METADATA = ("169.254.0.0/16", "fd00:ec2::254")
# Whether what goes from one port of a bridge to another passes any rules at all.
BRIDGES_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
NAMES_AT = "169.254.169.254"  # on Google's cloud names are looked up at the metadata address
_MARK = "MARK"  # its place in the rules


class NotClosed(Exception):
    """The users' network is open, so no server may start. Its text says what to do."""


def table_name(network: Network) -> str:
    """Name of the nftables table, one for each users' network."""
    return "jh_" + hashlib.sha256(network.name.encode()).hexdigest()[:8]


def ruleset(network: Network) -> str:
    """The whole table, replaced at once when it is loaded.

    A table of its own at prerouting, before anything Docker decides, so that no restart of the
    engine opens it. Answers to what the host itself began are let through. Into the users' network
    comes nobody but this host: neither neighbours on the same bridge, whatever Docker's rules say,
    nor machines that send their packets for it here.
    """
    return _rules(network).replace(_MARK, mark(network))


def mark(network: Network) -> str:
    """Tells these rules from those of other settings and releases, when they are listed."""
    return hashlib.sha256(_rules(network).encode()).hexdigest()[:16]


def _rules(network: Network) -> str:
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
    iifname != "lo" ip daddr {network.subnet} ct state {{ new, invalid }} drop
  }}
  chain closed {{
    ip daddr {NAMES_AT} meta l4proto {{ tcp, udp }} th dport 53 accept
    ip daddr {v4} drop
    ip6 daddr {v6} drop
    ct state established,related accept
    iifname "{network.bridge}" ip daddr {network.gateway} tcp dport {{ {ports} }} accept
    fib daddr type local drop comment "{_MARK}"
  }}
}}
"""


def is_closed(network: Network) -> bool:
    """Whether these very rules are loaded."""
    command = ["nft", "list", "chain", "inet", table_name(network), "closed"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    return shown.returncode == 0 and mark(network) in shown.stdout


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
    if not BRIDGES_FILTER.exists() or BRIDGES_FILTER.read_text().strip() != "1":
        raise NotClosed(
            "This machine's kernel lets containers reach each other past all rules, so no server "
            "starts. Your teacher can mend it: sysctl -w net.bridge.bridge-nf-call-iptables=1."
        )
