"""The converge script's part for k3s, run for real in a mount namespace of its own.

k3s, systemctl and curl are stand-ins, named as such: no package registry has k3s, and there is no
systemd here. What they are asked, and what the script leaves on the disk, is what counts.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.kubernetes_cluster import k3s_config
from components.machine.desired import SCRIPT, lines

VERSION = "v1.34.2+k3s1"
K3S = """#!/bin/bash
# A stand-in for k3s: it says its version, and keeps what it was asked.
[ "$1" != --version ] || { echo "k3s version %s (stand-in)"; exit 0; }
echo "k3s $*" >>$STANDIN/asked
"""
SYSTEMCTL = """#!/bin/bash
# A stand-in for systemctl that knows one unit: k3s.
echo "systemctl $*" >>$STANDIN/asked
state=$STANDIN/active
case "$1" in
    start) [ -e $STANDIN/broken ] || touch $state ;;
    stop) rm -f $state ;;
    is-active) [ -e $state ] && { [ "$2" = --quiet ] || echo active; exit 0; }
        [ "$2" = --quiet ] || echo inactive; exit 3 ;;
esac
"""
CURL = """#!/bin/bash
# A stand-in for curl: the release is a folder.
while [ $# -gt 0 ]; do
    case "$1" in -o) out=$2; shift ;; https://*) from=$1 ;; esac
    shift
done
echo "curl $from" >>$STANDIN/asked
cp "$STANDIN/release/${from##*/}" "$out"
"""
# Folders that the script writes to, each with a layer of its own, thrown away with the namespace.
LAYERS = r"""
set -e
mount -t tmpfs none /mnt
for folder in /etc /var/lib /usr/local; do
    at=/mnt/$(basename $folder)
    mkdir -p $at/up $at/work
    mount -t overlay none -o lowerdir=$folder,upperdir=$at/up,workdir=$at/work $folder
done
mkdir /mnt/run
mount --bind /mnt/run /run
mkdir -p $STANDIN/srv /srv
mount --bind $STANDIN/srv /srv
cp -r $STANDIN/etc/. /etc
export PATH=/usr/local/bin:$STANDIN/bin:$PATH
"""


def can_layer() -> bool:
    """Whether a namespace with overlays can be made here; it needs root."""
    probe = "mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w && "
    probe += "mount -t overlay none -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc"
    done = subprocess.run(["unshare", "-m", "sh", "-c", probe], capture_output=True, check=False)
    return os.geteuid() == 0 and done.returncode == 0


pytestmark = pytest.mark.skipif(not can_layer(), reason="needs root, and overlays in a namespace")


class Machine:
    """What is on a machine before, and what the script did there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.etc = folder / "etc"
        for name, text in (("systemctl", SYSTEMCTL), ("curl", CURL)):
            self.put(f"bin/{name}", text).chmod(0o755)
        self.put("release/k3s", K3S % VERSION)
        self.publish()
        self.settings = k3s_config.settings(True, VERSION, "/srv/data", 1)
        self.settings |= {"ENGINE": "k3s", "DISKS": "", "NFS_MOUNTS": "", "K3S_WITHIN": "2"}
        self.put("etc/rancher/k3s/config.yaml", "node-ip: 10.0.0.5\nnode-name: a\n")
        self.put("etc/rancher/k3s/manifest.yaml", "kind: StorageClass\n")

    def put(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def publish(self) -> None:
        """The release's checksums, of every architecture."""
        release = self.folder / "release"
        (release / "k3s-arm64").write_bytes((release / "k3s").read_bytes())
        for arch, name in (("amd64", "k3s"), ("arm64", "k3s-arm64")):
            sum_ = hashlib.sha256((release / name).read_bytes()).hexdigest()
            (release / f"sha256sum-{arch}.txt").write_text(f"{sum_}  {name}\n{sum_}  other\n")

    def converge(self, *times: str, files: str = "1") -> str:
        """Runs the script's functions and then k3s' part, with words before each further run."""
        own = SCRIPT.split("# --- all of it")[0]
        settings = self.settings | ({"FILES": files} if files else {})
        self.put("etc/pulumi-jupyterhub/desired.conf", lines(settings))
        self.put("etc/pulumi-jupyterhub/converge.sh", own + '\nk3s_node\necho "ready"\n')
        run = "bash /etc/pulumi-jupyterhub/converge.sh"
        after = """
for at in /var/lib/rancher/k3s/server /etc/rancher/node /var/lib/rancher/k3s/storage; do
    mountpoint -q $at && echo "mounted $at"
done
cp -r /etc/systemd/system/k3s.service /etc/fstab $STANDIN 2>/dev/null
cat /run/pulumi-jupyterhub/problem 2>/dev/null
"""
        steps = "\n".join([run, *(f"{words}\n{run}" for words in times)])
        done = subprocess.run(
            ["unshare", "-m", "bash", "-c", f"{LAYERS}\nset +e\n{steps}\n{after}"],
            env=os.environ | {"STANDIN": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    @property
    def asked(self) -> list[str]:
        file = self.folder / "asked"
        return file.read_text().splitlines() if file.exists() else []

    def count(self, what: str) -> int:
        return sum(line.startswith(what) for line in self.asked)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    yield Machine(tmp_path)


def test_a_server_starts_with_its_state_on_the_data_disk(machine: Machine) -> None:
    said = machine.converge()
    assert said.count("ready") == 1, said
    assert f"curl {k3s_config.RELEASES}/v1.34.2%2Bk3s1/k3s" in "\n".join(machine.asked)
    for path in (
        "/var/lib/rancher/k3s/server",
        "/etc/rancher/node",
        "/var/lib/rancher/k3s/storage",
    ):
        assert f"mounted {path}" in said
    kept = machine.folder / "srv/data/k3s"
    manifest = kept / "server/manifests/pulumi-jupyterhub.yaml"
    assert manifest.read_text() == "kind: StorageClass\n"
    assert (kept / "address").read_text() == "10.0.0.5\n"
    unit = (machine.folder / "k3s.service").read_text()
    assert "ExecStart=/usr/local/bin/k3s server\n" in unit
    assert (
        "/srv/data/claims /var/lib/rancher/k3s/storage none bind"
        in (machine.folder / "fstab").read_text()
    )
    assert machine.asked.index("systemctl enable --quiet k3s") < machine.asked.index(
        "systemctl start --no-block k3s"
    )


def test_a_second_run_restarts_nothing_and_a_changed_file_does(machine: Machine) -> None:
    said = machine.converge("true", "sed -i s/FILES=1/FILES=2/ /etc/pulumi-jupyterhub/desired.conf")
    assert said.count("ready") == 3, said
    assert machine.count("systemctl start") == 2  # the first, and for the changed file
    assert machine.count("curl") == 2  # binary and checksums, once


def test_it_waits_for_its_files(machine: Machine) -> None:
    said = machine.converge(files="")
    assert "k3s is installed; what it joins the cluster by comes over ssh" in said
    assert "ready" not in said and not machine.count("systemctl start")


def test_another_binary_than_the_releases_is_not_installed(machine: Machine) -> None:
    machine.put("release/k3s", "#!/bin/sh\necho something else\n")
    said = machine.converge()
    assert "k3s v1.34.2+k3s1 is not what its release's checksum says" in said
    assert not machine.count("systemctl start")


def test_a_version_that_there_is_not(machine: Machine) -> None:
    (machine.folder / "release/k3s").unlink()
    (machine.folder / "release/k3s-arm64").unlink()
    said = machine.converge()
    assert f"can't be had from {k3s_config.RELEASES}: is there this version" in said


def test_a_k3s_that_does_not_start_says_where_to_look(machine: Machine) -> None:
    machine.put("broken", "")
    assert "k3s does not answer within 2 s: journalctl -u k3s" in machine.converge()


def test_an_agent_keeps_nothing(machine: Machine) -> None:
    agent = k3s_config.settings(False, VERSION, "", 1)
    settings = {k: v for k, v in machine.settings.items() if not k.startswith("K3S_")}
    machine.settings = settings | agent | {"K3S_WITHIN": "2"}
    said = machine.converge()
    assert "ready" in said and "mounted" not in said
    assert not (machine.folder / "srv/data").exists()
    assert "ExecStart=/usr/local/bin/k3s agent\n" in (machine.folder / "k3s.service").read_text()


def a_state_of(machine: Machine, address: str) -> None:
    machine.put("srv/data/k3s/server/db/etcd/member", "")
    machine.put("srv/data/k3s/address", f"{address}\n")


def test_a_new_machine_takes_the_state_over(machine: Machine) -> None:
    """A rebuilt VM on the same disk: etcd knows its one member by the old address."""
    a_state_of(machine, "10.0.0.4")
    said = machine.converge()
    assert said.count("ready") == 1, said
    assert machine.asked.index("k3s server --cluster-reset") < machine.asked.index(
        "systemctl start --no-block k3s"
    )
    assert (machine.folder / "srv/data/k3s/address").read_text() == "10.0.0.5\n"
    assert (machine.folder / "srv/data/k3s/server/db/etcd/member").exists()


def test_one_killed_in_between_is_not_reset_twice(machine: Machine) -> None:
    a_state_of(machine, "10.0.0.4")
    machine.put("srv/data/k3s/server/db/reset-flag", "")
    assert "ready" in machine.converge()
    assert not machine.count("k3s server --cluster-reset")


def test_the_same_address_resets_nothing(machine: Machine) -> None:
    a_state_of(machine, "10.0.0.5")
    assert "ready" in machine.converge()
    assert not machine.count("k3s server --cluster-reset")


def test_one_of_three_with_another_address_touches_nothing(machine: Machine) -> None:
    machine.settings |= {"K3S_SERVERS": "3"}
    a_state_of(machine, "10.0.0.4")
    said = machine.converge()
    assert "this server was 10.0.0.4 and is 10.0.0.5 now, which etcd refuses" in said
    assert not machine.count("systemctl start") and not machine.count("k3s server")
    assert (machine.folder / "srv/data/k3s/address").read_text() == "10.0.0.4\n"
