"""Pure rules: admission, firewall, first passwords."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hubkit import admission, firewall
from hubkit.admission import Host, NoRoom, Promise
from hubkit.login import passwords as roster
from hubkit.reach import Names
from hubkit.settings import Limits, Network

from components.platforms import reach

GIB = 1024**3
NETWORK = Network(
    name="jupyterhub-x-users",
    subnet="10.1.0.0/20",
    gateway="10.1.0.1",
    bridge="jh-1",
    open_ports=[8081, 8786],
    extra_bridges=["jh-2"],
    reach=["10.7.0.0/16", "10.9.1.2:5432", "db.example.org:44"],
)


HOST = Host(5 * GIB, 2.0, ("0", "1"))


def limits(memory: int = 0, cpu: float = 0, gpus: int = 0) -> Limits:
    return Limits(
        memory=None,
        memory_guarantee=memory,
        swap=0,
        cpu=None,
        cpu_guarantee=cpu,
        gpus=gpus,
        shm_size=1,
        pids=100,
    )


def test_admission_counts_what_others_were_promised() -> None:
    size = limits(memory=GIB)
    promise = admission.admit(size, [Promise(GIB)] * 3, HOST, reserve=GIB)
    assert promise == Promise(GIB)
    with pytest.raises(NoRoom, match="needs 1024 MiB and 0 MiB are left"):
        admission.admit(size, [promise] * 4, HOST, reserve=GIB)


def test_admission_counts_cores() -> None:
    size = limits(cpu=0.7)
    others = [admission.admit(size, [], HOST, 0)] * 2
    with pytest.raises(NoRoom, match=r"needs 0.7 cores and 0.6 are left"):
        admission.admit(size, others, HOST, 0)


def test_each_server_gets_gpus_of_its_own() -> None:
    first = admission.admit(limits(gpus=1), [], HOST, 0)
    second = admission.admit(limits(gpus=1), [first], HOST, 0)
    assert (first.gpus, second.gpus) == (("0",), ("1",))
    with pytest.raises(
        NoRoom, match="Too many GPUs are in use: this size needs 1 GPU, no GPU left"
    ):
        admission.admit(limits(gpus=1), [first, second], HOST, 0)
    with pytest.raises(NoRoom, match="this machine has no GPU"):
        admission.admit(limits(gpus=1), [], Host(GIB, 1.0), 0)


def test_a_promise_outlives_the_hub() -> None:
    promise = Promise(GIB, 0.5, ("1",))
    kept = json.loads(json.dumps({"promise": promise.document()}))
    assert Promise.read(kept) == promise
    assert Promise.read({"guarantee": GIB}) == Promise(GIB)  # as release 0.1.0 kept it
    assert Promise.read({}) == Promise()


def test_the_host_is_read_in_bytes(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemFree: 1 kB\nMemTotal:       2048 kB\n")
    (tmp_path / "driver/nvidia/gpus/0000:00:1e.0").mkdir(parents=True)
    found = admission.this_host(tmp_path)
    assert (found.memory, found.gpus) == (2048 * 1024, ("0",))


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    admission.require_disk(tmp_path, least=1)
    with pytest.raises(NoRoom, match=f"The disk of {tmp_path.name} is full"):
        admission.require_disk(tmp_path, least=2**62)


def test_the_firewall_drops_first_and_opens_only_what_is_named() -> None:
    lines = [line.strip() for line in firewall.ruleset(NETWORK).splitlines()]
    closed = lines[lines.index("chain closed {") + 1 :]
    assert closed[:6] == [
        "ip daddr 169.254.169.254 meta l4proto { tcp, udp } th dport 53 accept",
        "ip daddr 169.254.0.0/16 drop",
        "ip6 daddr fd00:ec2::254 drop",
        "ct state established,related accept",
        'iifname "jh-1" ip daddr 10.1.0.1 tcp dport { 8081, 8786 } accept',
        f'fib daddr type local drop comment "{firewall.mark(NETWORK)}"',
    ]
    private = ", ".join(firewall.PRIVATE)
    assert closed[6 : closed.index("}")] == [
        'iifname "jh-2" fib daddr oifname "jh-2" return',
        "meta l4proto { tcp, udp } th dport 53 return",
        "ip daddr 10.7.0.0/16 return",
        "ip daddr 10.9.1.2 meta l4proto { tcp, udp } th dport 5432 return",
        "meta l4proto { tcp, udp } ip daddr . th dport @named return",
        f"ip daddr {{ {private} }} drop",
        "ip6 daddr { fc00::/7, fe80::/10 } drop",
        "meta l4proto { tcp, udp } th dport 2049 drop",
    ]
    jump = lines.index('iifname { "jh-1", "jh-2" } jump closed')
    into = 'iifname != "lo" ip daddr 10.1.0.0/20 ct state { new, invalid } drop'
    assert lines[jump + 1] == into


def test_rules_of_other_settings_do_not_count() -> None:
    for more in ({"open_ports": [8081]}, {"reach": []}):
        other = NETWORK.model_copy(update=more)
        assert firewall.mark(NETWORK) not in firewall.ruleset(other)


def test_both_packages_mean_the_same_by_private() -> None:
    assert firewall.PRIVATE == reach.PRIVATE


def test_a_name_is_looked_up_and_keeps_its_address_while_it_is_not_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(*addresses: str) -> Any:
        return lambda *_: [(0, 0, 0, "", (address, 44)) for address in addresses]

    def away(*_: object) -> None:
        raise OSError("no such name")

    names = Names(NETWORK)
    monkeypatch.setattr("socket.getaddrinfo", answer("10.3.0.1", "10.3.0.2"))
    names.look_up()
    monkeypatch.setattr("socket.getaddrinfo", away)
    names.look_up()
    assert names.addresses == {("10.3.0.1", 44), ("10.3.0.2", 44)}
    monkeypatch.setattr("socket.getaddrinfo", answer("10.3.0.3"))
    names.look_up()
    assert names.addresses == {("10.3.0.3", 44)}


def test_addresses_of_names_are_loaded_with_the_rules_and_changed_beside_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = []
    monkeypatch.setattr("subprocess.run", lambda *_, **how: loaded.append(how["input"]))
    known = [("10.3.0.2", 44), ("10.3.0.1", 44)]
    firewall.close(NETWORK, known)
    firewall.name(NETWORK, known)
    firewall.name(NETWORK, [])
    named = f"element inet {firewall.table_name(NETWORK)} named"
    flush = f"flush set inet {firewall.table_name(NETWORK)} named\n"
    assert loaded[0] == firewall.ruleset(NETWORK) + loaded[1]
    assert loaded[1] == f"{flush}add {named} {{ 10.3.0.1 . 44, 10.3.0.2 . 44 }}\n"
    assert loaded[2] == flush


@pytest.mark.parametrize("found", ["0\n", None])
def test_no_server_starts_where_bridges_pass_by_all_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str | None
) -> None:
    switch = tmp_path / "bridge-nf-call-iptables"
    monkeypatch.setattr(firewall, "is_closed", lambda _: True)
    monkeypatch.setattr(firewall, "BRIDGES_FILTER", switch)
    switch.write_text("1\n")
    firewall.require(NETWORK)
    if found is None:
        switch.unlink()
    else:
        switch.write_text(found)
    with pytest.raises(firewall.NotClosed, match=r"net\.bridge\.bridge-nf-call-iptables=1"):
        firewall.require(NETWORK)


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
