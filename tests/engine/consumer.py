"""Somebody else's Pulumi program: the wheel in an environment of its own, this checkout nowhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.checkout import ROOT
from toolchain.plugins.cloud_standin import CLOUD
from toolchain.plugins.cloud_standin.rules import ADDRESS

SECRETS = {
    "cookie_secret": "ab" * 32,
    "crypt_key": "cd" * 32,
    "class_password": "bakery-lemon",
    "admin_password": "x" * 32,
    "roster_key": "ef" * 32,
}


def wheel(folder: Path) -> Path:
    """This checkout as a wheel, built from what git knows."""
    source = folder / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source]
    subprocess.run(list(map(str, command)), check=True)
    (found,) = folder.glob("*.whl")
    return found


class Environment:
    """A fresh virtual environment with the wheel, and the extras that are asked for."""

    def __init__(self, folder: Path, built: Path, *extras: str, also: Sequence[str] = ()) -> None:
        """`also`: further packages, to have one of the wheel's in another version."""
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        chosen = f"{built}[{','.join(extras)}]" if extras else str(built)
        pip = [str(self.python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, chosen, *also], check=True)

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        """Runs code far from this checkout."""
        return subprocess.run(
            [str(self.python), "-c", code],
            cwd=self.folder,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
        )


class Example:
    """A copy of an example, with a state and an environment of its own."""

    def __init__(
        self,
        folder: Path,
        name: str,
        environment: Environment,
        config: dict[str, Any],
        cloud: Path | None = None,
    ) -> None:
        self.root = folder / Path(name).name
        shutil.copytree(ROOT / "examples" / name, self.root, ignore=shutil.ignore_patterns(".*"))
        (self.root / ".venv").symlink_to(environment.folder)
        (folder / "state").mkdir(exist_ok=True)
        self.environment = os.environ | {
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "a test's",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "XDG_DATA_HOME": str(folder / "data"),
        }
        self.environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
        self.environment.pop("PYTHONPATH", None)
        if cloud:
            standins = ROOT / "toolchain/plugins/cloud_standin/bin"
            self.environment |= {
                CLOUD: str(cloud),
                ADDRESS: "127.0.0.1",
                "PATH": f"{standins}:{os.environ['PATH']}",
            }
        self.pulumi("stack", "init", "try")
        project = self._project()
        for key, value in config.items():
            words = ["--secret"] if key == "secrets" else []
            text = value if isinstance(value, str) else json.dumps(value)
            self.pulumi("config", "set", *words, f"{project}:{key}", given=text)

    def _project(self) -> str:
        first, *_ = (self.root / "Pulumi.yaml").read_text().splitlines()
        return first.removeprefix("name: ")

    def pulumi(self, *words: str, given: str = "", check: bool = True) -> str:
        """Runs `pulumi`; returns what it prints."""
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive", "--color", "never"],
            cwd=self.root,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    @contextmanager
    def up(self) -> Iterator[dict[str, Any]]:
        """Makes it, gives its outputs, destroys it."""
        try:
            self.pulumi("up", "--yes", "--skip-preview", "--stack", "try")
            yield dict(json.loads(self.pulumi("stack", "output", "--json", "--stack", "try")))
        finally:
            self.pulumi("state", "unprotect", "--all", "--yes", "--stack", "try")
            self.pulumi("destroy", "--yes", "--skip-preview", "--stack", "try")

    def changes(self) -> dict[str, int]:
        """How many steps of each kind a preview has."""
        shown = json.loads(self.pulumi("preview", "--json", "--stack", "try"))
        return dict(shown["changeSummary"])
