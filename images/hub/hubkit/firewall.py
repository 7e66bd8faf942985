"""The rules that keep users' containers from the host, its neighbours and the cloud's metadata."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .settings import Network

# What no machine on the internet has. In the components' reach.py, too: another package.
PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
PRIVATE_6 = ("fc00::/7", "fe80::/10")
METADATA = ("169.254.0.0/16", "fd00:ec2::254")
# Whether what goes from one port of a bridge to another passes any rules at all.
BRIDGES_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
NAMES_AT = "169.254.169.254"  # on Google's cloud names are looked up at the metadata address
# It asks for an address, not for a password: whoever speaks from this machine has all its files.
NFS = 2049
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

    Out of it, private addresses are closed but for names and what is named. That is let through by
    `return`, not `accept`: no range that somebody names is a way to another user's container.
    """
    return _rules(network).replace(_MARK, mark(network))


def mark(network: Network) -> str:
    """Tells these rules from those of other settings and releases, when they are listed."""
    return hashlib.sha256(_rules(network).encode()).hexdigest()[:16]


def _rules(network: Network) -> str:
    name = table_name(network)
    ports = ", ".join(map(str, network.open_ports))
    bridges = ", ".join(f'"{bridge}"' for bridge in (network.bridge, *network.extra_bridges))
    own = "\n".join(
        f'    iifname "{each}" fib daddr oifname "{each}" return' for each in network.extra_bridges
    )
    reach = "\n".join(f"    {_match(each)} return" for each in network.reach if not is_name(each))
    v4, v6 = METADATA
    return f"""
table inet {name}
delete table inet {name}
table inet {name} {{
  set named {{
    type ipv4_addr . inet_service
  }}
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
{own}
    meta l4proto {{ tcp, udp }} th dport 53 return
{reach}
    meta l4proto {{ tcp, udp }} ip daddr . th dport @named return
    ip daddr {{ {", ".join(PRIVATE)} }} drop
    ip6 daddr {{ {", ".join(PRIVATE_6)} }} drop
    meta l4proto {{ tcp, udp }} th dport {NFS} drop
  }}
}}
"""


def is_name(target: str) -> bool:
    """Whether something to reach has to be looked up."""
    return any(letter.isalpha() for letter in target) or target.count(":") > 1


def _match(target: str) -> str:
    where, _, port = target.partition(":")
    at = f" meta l4proto {{ tcp, udp }} th dport {port}" if port else ""
    return f"ip daddr {where}{at}"


def _elements(network: Network, addresses: Iterable[tuple[str, int]]) -> str:
    """What names are known to mean, in place of what they meant before."""
    known = ", ".join(f"{address} . {port}" for address, port in sorted(addresses))
    where = f"element inet {table_name(network)} named"
    add = f"add {where} {{ {known} }}\n" if known else ""
    return f"flush set inet {table_name(network)} named\n{add}"


def is_closed(network: Network) -> bool:
    """Whether these very rules are loaded."""
    command = ["nft", "list", "chain", "inet", table_name(network), "closed"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    return shown.returncode == 0 and mark(network) in shown.stdout


def close(network: Network, addresses: Iterable[tuple[str, int]] = ()) -> None:
    """Loads the rules, in one step, with what names are known to mean."""
    rules = ruleset(network) + _elements(network, addresses)
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


def name(network: Network, addresses: Iterable[tuple[str, int]]) -> None:
    """Changes what names mean. Where there are no rules just now, `close` does it."""
    rules = _elements(network, addresses)
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, capture_output=True, check=False)


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
