"""A stranger's checkout: a copy of this one with a state and a stack of its own."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container

ROOT = Path(__file__).parent.parent
ENGINE = docker.from_env(timeout=120)
DEPLOYMENT, ROLE = "pulumi-jupyterhub.deployment", "pulumi-jupyterhub.role"


class Checkout:
    """Runs this project's commands as somebody does who has just cloned it."""

    def __init__(
        self,
        folder: Path,
        stack: str,
        number: int,
        config: dict[str, Any],
        seeded: bool = True,
    ) -> None:
        """`seeded`: with secrets that another checkout made, which spares seconds."""
        self.stack = stack
        self.deployment = f"jupyterhub-{stack}"
        self.root = folder / "checkout"
        self.file = self.root / "stacks" / f"Pulumi.{stack}.yaml"
        self.port = 8400 + number
        network = f"10.{241 + 3 * (number // 16)}.{16 * (number % 16)}"
        self.subnet = f"{network}.0/20"
        self.gateway = f"{network}.1"
        self.environment = os.environ | {
            "XDG_DATA_HOME": str(folder / "data"),
            "STACK": stack,
            "DOCKER_HOST": "",
        }
        for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"):
            self.environment.pop(name, None)
        self._copy()
        self.configure(
            platform="local",
            proxy={"http_port": self.port, "api_port": self.port + 100},
            hub={"network": {"subnet": self.subnet}, "memory_reserve": "512M"},
        )
        self.configure(**config)
        if seeded:
            self.seed("local")

    def _copy(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in listed.stdout.splitlines():
            if (ROOT / name).is_file():
                target = self.root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)
        (self.root / ".venv").symlink_to(ROOT / ".venv")
        # What Python compiled of these files is good for their copies: it goes by size and time.
        for package in ("components", "stacks", "toolchain"):
            for compiled in (ROOT / package).rglob("__pycache__"):
                target = self.root / compiled.relative_to(ROOT)
                if target.parent.is_dir():
                    shutil.copytree(compiled, target, dirs_exist_ok=True)

    def seed(self, platform: str) -> None:
        """Takes over the secrets of a stack of this platform, and what they are encrypted with."""
        if "PULUMI_CONFIG_PASSPHRASE" in self.environment:
            return
        secrets, salt, passphrase = _secrets_of(platform)
        document = yaml.safe_load(self.file.read_text())
        own = document["config"].get("jupyterhub:secrets", {})
        document["config"]["jupyterhub:secrets"] = secrets | own
        self.file.write_text(yaml.safe_dump(document | {"encryptionsalt": salt}))
        file = Path(self.environment["XDG_DATA_HOME"]) / "pulumi-jupyterhub" / "passphrase"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(passphrase)

    def configure(self, **sections: Any) -> None:
        """Sets sections of the stack file; dictionaries are merged."""
        document = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        config = document.setdefault("config", {})
        for name, value in sections.items():
            key = f"jupyterhub:{name}"
            if value is None:
                config.pop(key, None)
            elif isinstance(value, dict):
                config[key] = {**config.get(key, {}), **value}
            else:
                config[key] = value
        self.file.write_text(yaml.safe_dump(document))

    def section(self, name: str) -> dict[str, Any]:
        """A section of the stack file."""
        return dict(yaml.safe_load(self.file.read_text())["config"][f"jupyterhub:{name}"])

    def make(self, *words: str, check: bool = True, timeout: float = 600) -> str:
        """Runs `make`, returns all it prints."""
        done = subprocess.run(
            ["make", "--no-print-directory", *words],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout
        else:
            assert done.returncode != 0, f"this should have failed:\n{done.stdout}"
            assert "Traceback" not in done.stdout
        return done.stdout

    def start_make(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts `make` in a process group of its own, to be killed."""
        return subprocess.Popen(
            ["make", *words],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def pulumi(self, *words: str, check: bool = True) -> str:
        """Runs `pulumi` as people do who live in it."""
        script = f"exec pulumi --non-interactive {' '.join(words)}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.root,
            env=self.environment | self.shell,
            capture_output=True,
            text=True,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @functools.cached_property
    def shell(self) -> dict[str, str]:
        """What `eval "$(make env)"` sets, asked once."""
        script = 'eval "$(make --no-print-directory env)" && exec env -0'
        shown = subprocess.run(
            ["bash", "-c", script],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        pairs = (line.partition("=") for line in shown.stdout.split("\0") if line)
        found = {name: value for name, _, value in pairs}
        return {
            name: value
            for name, value in found.items()
            if name == "PATH" or (name.startswith("PULUMI_") and name not in self.environment)
        }

    @property
    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self.make("outputs")))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def containers(self, role: str | None = None) -> list[Container]:
        """Containers of this deployment, stopped ones too."""
        return containers_of(self.deployment, role)

    def container(self, role: str) -> Container:
        (found,) = self.containers(role)
        return found

    def server(self, user: str) -> Container:
        return ENGINE.containers.get(f"{self.deployment}-user-{user}")

    def has_server(self, user: str) -> bool:
        """Whether a user's container is there, running or not."""
        return f"{self.deployment}-user-{user}" in {c.name for c in self.containers("user")}

    def ids(self) -> dict[str, str]:
        """Which container is there for each role."""
        return {c.labels[ROLE]: c.id for c in self.containers() if c.labels[ROLE] != "user"}

    @functools.cache  # noqa: B019  # a checkout lives as long as its tests
    def secrets(self) -> dict[str, str]:
        """All secrets of the stack file in plain text; they never change."""
        shown = self.pulumi("config", "--show-secrets", "--json", "--stack", self.stack)
        return dict(json.loads(json.loads(shown)["jupyterhub:secrets"]["value"]))


def changed_nothing(printed: str) -> bool:
    """Whether an `up` left everything as it was, by what it printed."""
    return re.search(r"Resources:\n +\d+ unchanged\n", printed) is not None


@functools.cache
def _secrets_of(platform: str) -> tuple[dict[str, Any], str, str]:
    """Encrypted secrets, their salt and their passphrase, made by the project's own commands."""
    with tempfile.TemporaryDirectory() as folder:
        made = Checkout(Path(folder), "tseed", 15, {"platform": platform}, seeded=False)
        if platform != "local":
            made.file.write_text((ROOT / "stacks/catalogue" / f"{platform}.yaml").read_text())
        made.make("setup")
        document = yaml.safe_load(made.file.read_text())
        (file,) = Path(folder).rglob("passphrase")
        secrets = document["config"]["jupyterhub:secrets"]
        return secrets, document["encryptionsalt"], file.read_text()


class Program:
    """A Pulumi program of somebody's own, which imports the components of this checkout."""

    def __init__(self, folder: Path, name: str, text: str) -> None:
        self._settings = Checkout(folder / "settings", f"t{name}", 10, {})
        self._root = folder / "program"
        self._root.mkdir()
        (self._root / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n")
        head = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        (self._root / "__main__.py").write_text(head + text)
        (self._root / "images").symlink_to(ROOT / "images")

    @contextmanager
    def up(self, *options: str) -> Iterator[str]:
        """Makes it, gives what pulumi printed, destroys it."""
        self._pulumi("stack", "init", "try")
        try:
            yield self._pulumi("up", "--yes", "--skip-preview", "--stack", "try", *options)
        finally:
            self._pulumi("destroy", "--yes", "--skip-preview", "--stack", "try")

    def _pulumi(self, *words: str) -> str:
        settings = f'eval "$(make --no-print-directory -C {self._settings.root} env)"'
        script = f"{settings} && cd {self._root} && pulumi {' '.join(words)} --non-interactive"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._settings.root,
            env=self._settings.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def running(
    folder: Path,
    stack: str,
    number: int,
    config: dict[str, Any] | None = None,
    timeout: float = 600,
    seeded: bool = True,
) -> Iterator[Checkout]:
    """A hub that is up, and gone afterwards with all its data."""
    checkout = Checkout(folder, stack, number, config or {}, seeded)
    remove_leftovers(checkout.deployment)
    try:
        checkout.make("up", timeout=timeout)
        yield checkout
    finally:
        checkout.make("purge", "YES=1")


def remove_leftovers(deployment: str) -> None:
    """What a killed test run left of the deployment of this name. Only tests have such names."""
    label = {"label": f"{DEPLOYMENT}={deployment}"}
    for role in ("guard", "hub", "user", "proxy"):  # the guard first: it would restart the others
        for container in containers_of(deployment, role):
            container.remove(force=True)
    for container in containers_of(deployment):
        container.remove(force=True)
    for network in ENGINE.networks.list(filters=label):
        network.remove()
    for volume in ENGINE.volumes.list():
        if volume.name.startswith(f"{deployment}-"):
            volume.remove()


def containers_of(deployment: str, role: str | None = None) -> list[Container]:
    """Containers of a deployment, stopped ones too."""
    labels = [f"{DEPLOYMENT}={deployment}"] + ([f"{ROLE}={role}"] if role else [])
    return list(ENGINE.containers.list(all=True, filters={"label": labels}))
