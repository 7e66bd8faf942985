"""States as a release wrote them, kept so that every later release is tried on them.

`python -m tests.engine.released 0.1.0` writes those of this checkout; once for each release.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.engine.clouds import CloudStack

FOLDER = Path(__file__).parent / "released"
CLOUDS = ("aws", "gcp", "openstack")
PASSPHRASE = "released"  # of throw-away secrets, so that anybody can read these states
NUMBER = 30


def stack_of(cloud: str, folder: Path) -> CloudStack:
    """A stack with the secrets' passphrase of the kept states."""
    stack = CloudStack(folder, cloud, NUMBER + CLOUDS.index(cloud))
    stack.environment["PULUMI_CONFIG_PASSPHRASE"] = PASSPHRASE
    return stack


def write(version: str) -> None:
    """Makes each cloud's stack on the stand-in and keeps its file and state."""
    for cloud in CLOUDS:
        base = Path("/tmp/released") / cloud
        shutil.rmtree(base, ignore_errors=True)
        stack = stack_of(cloud, base)
        target = FOLDER / version
        target.mkdir(parents=True, exist_ok=True)
        with stack.host.listening():
            stack.make("setup")
            stack.up()
            state = json.loads(stack.pulumi("stack", "export", "--stack", stack.stack))
        for resource in state["deployment"]["resources"]:  # of whoever wrote it, not of the release
            for key in ("sourcePosition", "stackTrace"):
                resource.pop(key, None)
        text = json.dumps(state, indent=1).replace(str(Path.home()), "/home/teacher")
        (target / f"{cloud}.json").write_text(text + "\n")
        shutil.copy(stack.file, target / f"Pulumi.t{cloud}.yaml")


if __name__ == "__main__":
    write(sys.argv[1])
