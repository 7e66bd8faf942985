"""Pure rules: admission, firewall, first passwords, what is silent."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hubkit import admission, firewall, roster
from hubkit.busy_kernels import _silent
from hubkit.settings import Network

GIB = 1024**3
NETWORK = Network(
    name="jupyterhub-x-users",
    subnet="10.1.0.0/20",
    gateway="10.1.0.1",
    bridge="jh-1",
    open_ports=[8081, 8786],
    extra_bridges=["jh-2"],
)


def test_admission_counts_what_others_were_promised() -> None:
    assert admission.refusal(GIB, [GIB, GIB], total=5 * GIB, reserve=GIB) is None
    refused = admission.refusal(GIB, [GIB] * 4, total=5 * GIB, reserve=GIB)
    assert refused is not None
    assert "needs 1024 MiB and 0 MiB are left" in refused


def test_memory_is_read_in_bytes(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemFree: 1 kB\nMemTotal:       2048 kB\n")
    assert admission.total_memory(file) == 2048 * 1024


def test_the_firewall_drops_first_and_opens_only_what_is_named() -> None:
    lines = [line.strip() for line in firewall.ruleset(NETWORK).splitlines()]
    closed = lines[lines.index("chain closed {") + 1 :]
    assert closed[:6] == [
        "ip daddr 169.254.169.254 meta l4proto { tcp, udp } th dport 53 accept",
        "ip daddr 169.254.0.0/16 drop",
        "ip6 daddr fd00:ec2::254 drop",
        "ct state established,related accept",
        'iifname "jh-1" ip daddr 10.1.0.1 tcp dport { 8081, 8786 } accept',
        "fib daddr type local drop",
    ]
    assert 'iifname { "jh-1", "jh-2" } jump closed' in lines


def test_each_network_has_its_own_table() -> None:
    other = NETWORK.model_copy(update={"name": "jupyterhub-y-users"})
    assert firewall.table_name(NETWORK) != firewall.table_name(other)


def test_first_passwords_are_fixed_by_key_name_and_count() -> None:
    key = "ab" * 32
    first = roster.first_password(key, "anna", 0)
    assert re.fullmatch(r"([a-z]{4}-){4}\d{4}", first)
    assert first == roster.first_password(key, "anna", 0)
    others = {
        roster.first_password(key, "anna", 1),
        roster.first_password(key, "ben", 0),
        roster.first_password("cd" * 32, "anna", 0),
    }
    assert len({first, *others}) == 4


def test_only_servers_without_activity_are_looked_at() -> None:
    now = datetime.now(UTC)

    def server(seconds: int) -> dict[str, object]:
        stamp = (now - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
        return {"last_activity": stamp, "started": stamp}

    users = [
        {"name": "idle", "servers": {"": server(100)}},
        {"name": "active", "servers": {"": server(1)}},
    ]
    assert [name for name, _ in _silent(users, idle=50, now=now)] == ["idle"]
