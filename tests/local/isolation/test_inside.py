"""What holds inside a user's container, whatever the image."""

from __future__ import annotations

import json

from tests.checkout import Checkout
from tests.client import User
from tests.local.isolation import probes
from tests.local.isolation.probes import ask

NAMES_OF_TOKENS = {"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN"}
HIDDEN = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
KERNELS = ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches"]


def test_a_normal_user_without_any_capability(inside: User) -> None:
    found = ask(inside, probes.status)
    assert set(found["Uid"].split()) == {"1000"}
    assert "0" not in [*found["Gid"].split(), *found["Groups"].split()]
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(found[name], 16) == 0
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


def test_no_program_makes_its_user_more(hub: Checkout, inside: User) -> None:
    root_made = "cp /usr/bin/id /var/tmp/id && chmod 4755 /var/tmp/id"  # as an image could have it
    assert hub.server(inside.name).exec_run(["sh", "-c", root_made], user="0").exit_code == 0
    assert "rws" in ask(inside, probes.says, "ls", "-l", "/var/tmp/id")[1]
    assert ask(inside, probes.says, "/var/tmp/id", "-u") == [0, "1000\n"]
    for command in (
        ["sudo", "-n", "id"],
        ["newgrp", "root"],
        ["mount", "-t", "tmpfs", "x", "/mnt"],
    ):
        if ask(inside, probes.says, "which", command[0])[0] == 0:
            code, said = ask(inside, probes.says, *command)
            assert code != 0, (command, said)
    for namespaces in ("-Ur", "-Urn", "-m"):  # a world of one's own, where one would be root
        assert ask(inside, probes.says, "unshare", namespaces, "id")[0] != 0


def test_no_engine_and_nothing_of_the_hub(inside: User) -> None:
    paths = ["/var/run/docker.sock", "/run/containerd", "/srv", "/etc/jupyterhub"]
    assert set(ask(inside, probes.there, *paths)) <= {"/srv"}
    assert ask(inside, probes.says, "ls", "-A", "/srv") == [0, ""]
    assert ask(inside, probes.sockets_of_the_engine) == []


def test_of_the_host_only_ones_own_folders_are_mounted(hub: Checkout, inside: User) -> None:
    home = "/home/jovyan"
    own = {home, f"{home}/shared", f"{home}/shared/{inside.name}"}
    the_engines = {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"}
    kinds_of_its_own = {
        "overlay",
        "proc",
        "tmpfs",
        "devpts",
        "sysfs",
        "mqueue",
        "cgroup",
        "cgroup2",
    }
    found = ask(inside, probes.mounts)
    assert {where for where, kind, *_ in found if kind not in kinds_of_its_own} == own | the_engines
    (root,) = [root for where, _, _, root in found if where == home]
    assert root.rsplit("/", 1)[1] == inside.name  # of the homes, one
    (shared,) = [options for where, _, options, _ in found if where == f"{home}/shared"]
    assert "ro" in shared.split(",")


def test_no_device_and_no_switch_of_the_host(inside: User) -> None:
    assert ask(inside, probes.devices) == []
    groups = ask(inside, probes.says, "sh", "-c", "mkdir /sys/fs/cgroup/mine || mkdir /proc/x")
    assert groups[0] != 0
    assert ask(inside, probes.refused_to_write, *KERNELS) == KERNELS
    shown = f"head -c 1 {' '.join(HIDDEN)} | wc -c; ls -A /sys/firmware"
    assert "\n1" not in ask(inside, probes.says, "sh", "-c", shown)[1]


def test_nothing_but_the_server_listens(inside: User) -> None:
    """Desktops, RStudio and the like belong behind the server, which asks who comes."""
    proxied = inside.get("server-proxy/servers-info")
    for program in proxied.json()["server_processes"] if proxied.ok else []:
        inside.get(f"{program['name']}/")  # it starts when it is asked for
    assert ask(inside, probes.listening) == [["0.0.0.0", 8888]]


def test_no_secret_but_the_servers_own_token(hub: Checkout, inside: User) -> None:
    inspected = json.dumps(hub.server(inside.name).attrs)
    found = ask(inside, probes.environment)
    for name, secret in hub.secrets().items():
        assert secret not in inspected, name
        assert secret not in json.dumps(found), name
    tokens = {name: value for name, value in found.items() if "TOKEN" in name}
    assert set(tokens) == NAMES_OF_TOKENS
    assert len(set(tokens.values())) == 1  # one token under two names
    secret = ("PASSWORD", "SECRET", "_KEY", "CREDENTIAL")
    assert [name for name in found if any(word in name for word in secret)] == []
