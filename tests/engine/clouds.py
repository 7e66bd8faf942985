"""Cloud stacks on the real engine: the stand-in's cloud in a file, and a host that is a script.

The host is a stand-in too: a real sshd on loopback that answers what the gate asks with a script.
A real machine is booted by `make test-vm`.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.checkout import ROOT, Checkout
from toolchain.plugins.cloud_standin import CLOUD
from toolchain.plugins.cloud_standin.cloud import FakeCloud
from toolchain.plugins.cloud_standin.rules import ADDRESS

FIXTURES = ROOT / "tests/unit/fixtures"
_HOST = """#!/bin/bash
# A machine as the gate sees it. Files in $D steer it: down, broken, no-docker.
D=%s
[ ! -e $D/down ] || exit 255
command=$SSH_ORIGINAL_COMMAND
case "$command" in
    *cloud-init/result.json*) exit 0 ;;
    *pulumi-jupyterhub/ready*) [ ! -e $D/no-docker ] && cat $D/ready ;;
    *"sudo tee"*)
        name=${command##*sudo tee }
        cat >$D/"$(basename "${name%%%% *}")" ;;
    *"sudo bash"*)
        echo run >>$D/runs
        [ ! -e $D/broken ] || { echo "E: Unable to fetch some archives"; exit 1; }
        rm -f $D/no-docker
        sha256sum $D/desired.conf $D/converge.sh | cut -d' ' -f1 >$D/ready ;;
    *"get secret pulumi-jupyterhub"*) cat $D/account.json ;;
    *"k3s kubectl"*) echo "$command" >>$D/kubectl ;;
    *"docker version"*) [ ! -e $D/no-docker ] ;;
    *pulumi-jupyterhub/problem*) [ ! -e $D/broken ] || echo "packages could not be installed" ;;
esac
"""


class Host:
    """The script behind sshd, and what was asked of it."""

    def __init__(
        self, folder: Path, port: int, address: str = "127.0.0.1", key: Path | None = None
    ) -> None:
        self.folder, self.port, self.address = folder, port, address
        folder.mkdir(parents=True)
        self.key = key or folder / "key"
        for file in (folder / "host_key", *([] if key else [self.key])):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)]
            subprocess.run(command, check=True)
        self.script = folder / "host.sh"
        self.script.write_text(_HOST % folder)
        self.script.chmod(0o755)

    @contextmanager
    def listening(self) -> Iterator[None]:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own condition
        settings = {
            "Port": self.port,
            "ListenAddress": self.address,
            "HostKey": self.folder / "host_key",
            "AuthorizedKeysFile": f"{self.key}.pub",
            "ForceCommand": self.script,
            "StrictModes": "no",
            "PidFile": "none",
        }
        words = [word for k, v in settings.items() for word in ("-o", f"{k}={v}")]
        server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", "/dev/null", *words])
        try:
            yield
        finally:
            server.terminate()
            server.wait()

    def set(self, name: str, on: bool = True) -> None:
        file = self.folder / name
        file.touch() if on else file.unlink(missing_ok=True)

    @property
    def runs(self) -> int:
        """How often the converge script ran."""
        file = self.folder / "runs"
        return len(file.read_text().splitlines()) if file.exists() else 0

    @property
    def desired(self) -> str:
        return (self.folder / "desired.conf").read_text()


class StandInStack(Checkout):
    """A stranger's checkout on a stand-in, and what its previews would do."""

    def merge(self, **sections: Any) -> None:
        """Sets values of the stack file, whatever depth they have."""
        document = yaml.safe_load(self.file.read_text())
        config = document["config"]
        for name, value in sections.items():
            config[f"jupyterhub:{name}"] = _merged(config.get(f"jupyterhub:{name}"), value)
        self.file.write_text(yaml.safe_dump(document))

    def up(self, *words: str, check: bool = True) -> str:
        options = ("--yes", "--skip-preview", "--color", "never", "--stack", self.stack, *words)
        return self.pulumi("up", *options, check=check)

    def changes(self) -> dict[str, str]:
        """What a preview would do, by short type and name; components are left out."""
        shown = json.loads(self.pulumi("preview", "--json", "--stack", self.stack))
        found = {}
        for step in shown["steps"]:
            kind, name = step["urn"].split("::")[2:]
            short = kind.rsplit("$", 1)[-1].rsplit(":", 1)[-1]
            op = step["op"]
            if op in ("same", "read") or op.endswith(("create-replacement", "delete-replaced")):
                continue
            found[f"{short} {name}"] = op
        return found

    def resources(self) -> dict[str, dict[str, Any]]:
        exported = json.loads(self.pulumi("stack", "export", "--stack", self.stack))
        resources = exported["deployment"].get("resources", [])
        return {"::".join(r["urn"].split("::")[2:]).rsplit("$", 1)[-1]: r for r in resources}


class CloudStack(StandInStack):
    """A stranger's checkout whose cloud is a file and whose machine is a script."""

    def __init__(self, folder: Path, cloud: str, number: int) -> None:
        super().__init__(folder, f"t{cloud}", number, {}, seeded=False)
        self.cloud_name = cloud
        self.host = Host(folder / "host", 8700 + number)
        self.cloud = FakeCloud(folder / "cloud")
        self.environment |= {
            CLOUD: str(folder / "cloud"),
            ADDRESS: "127.0.0.1",
        }
        own = [docker_too(folder), self.root / "toolchain/plugins/cloud_standin/bin"]
        own += [self.root / "toolchain/plugins/bin" / name for name in ("docker", "language")]
        self.environment["PATH"] = ":".join([*map(str, own), os.environ["PATH"]])
        values = yaml.safe_load((FIXTURES / f"{cloud}.happy.minimal.yaml").read_text())["config"]
        values.pop("jupyterhub:secrets")
        self.file.write_text(yaml.safe_dump({"config": values}))
        ssh = {"user": "root", "port": self.host.port, "key_file": str(self.host.key)}
        self.merge(vm={"machine_type": "any", "ssh": ssh, "ready_within": 60})
        self.seed(cloud)

    def id_of(self, kind: str) -> str:
        """Id of the one resource of a kind: `Instance`, `Volume`."""
        (found,) = {
            str(r["id"])
            for r in self.resources().values()
            if r["type"].startswith(f"{self.cloud_name}:") and r["type"].endswith(f":{kind}")
        }
        return found

    def edit_cloud(self, change: Callable[[dict[str, Any]], object]) -> None:
        self.cloud.edit(change)


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: _merged(old.get(key), value) for key, value in new.items()}
    return new


def docker_too(folder: Path) -> Path:
    """A folder for PATH in which the stand-in answers for docker as well: there is no engine."""
    made = folder / "path"
    made.mkdir(parents=True)
    source = (ROOT / "toolchain/plugins/cloud_standin/bin/pulumi-resource-aws").read_text()
    script = made / "pulumi-resource-docker"
    root = 'root=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")/../../../.." && pwd)'
    assert root in source
    text = source.replace(root, f"root={ROOT}").replace("cloud_standin aws", "cloud_standin docker")
    script.write_text(text)
    script.chmod(0o755)
    return made
