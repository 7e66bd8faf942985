"""How long the first `make up` takes: now, and before it was rebuilt, side by side in one run."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.checkout import ROOT
from tests.stranger.account import OF_THE_SITE, bare_path

from . import machine

TITLE = "A first `make up`, where only package registries answer"
BEFORE = "dac28b4"  # the last commit before set-up was rebuilt
ROUNDS = 2
ABOUT = f"""\
{ROUNDS} times each, in turns: commit `{BEFORE}`, and the one that is checked out. Each has a fresh
clone, a home with nothing in it (so no caches), and a machine within the machine: processes,
network, and a Docker engine of its own without any image. Docker is installed. What registries can
be reached is the site's. CPU is of all processes, the engine's, its builds' and containers' too.
Images absent: after `make purge`, on an engine that has nothing, with the home as it was."""


@dataclass
class Build:
    """A commit, and what was measured of it: a list of rounds for each row."""

    commit: str
    found: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, folder: Path) -> None:
        """One round: cold, again, and without images."""
        clone, home = folder / "clone", folder / "home"
        home.mkdir(parents=True)
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", ROOT, clone], check=True)
        subprocess.run(["git", "-C", clone, "checkout", "-q", self.commit], check=True)
        _strip(clone / "stacks" / "Pulumi.local.yaml")
        with machine.Machine(folder / "first") as here:
            before = here.cpu_seconds()
            self._keep("cold", _up(here, clone, home))
            self._keep("cpu", here.cpu_seconds() - before)
            self._keep("second", _up(here, clone, home))
            _make(here, clone, home, "purge", "YES=1")
        with machine.Machine(folder / "second") as here:
            self._keep("absent", _up(here, clone, home))

    def _keep(self, what: str, seconds: float) -> None:
        print(f"  {self.commit[:7]} {what}: {seconds:.1f} s", flush=True)
        self.found.setdefault(what, []).append(seconds)


ROWS = (
    ("cold", "cold, to the login page", "≤ 0.45"),
    ("cpu", "cold, CPU", "≤ 0.6"),
    ("second", "second `make up`", "≤ 1.0"),
    ("absent", "images absent, caches there", "≤ 0.5"),
)


def rows(folder: Path) -> list[tuple[str, str, str]]:
    """Both builds in turns; each row has the seconds of both, and their ratio."""
    if reason := machine.missing():
        return [(f"not measured: {reason}", "", "")]
    before, now = Build(BEFORE), Build(_head())
    for number in range(ROUNDS):
        for build in (before, now):
            build.measure(folder / f"{number}-{build.commit}")
    return [(text, _compared(before.found[key], now.found[key]), aim) for key, text, aim in ROWS]


def _compared(before: list[float], now: list[float]) -> str:
    """`292 s, 301 s = 0.35 x before (842 s, 850 s)`."""
    first, second = (", ".join(f"{each:.1f} s" for each in found) for found in (now, before))
    return f"{first} = {sum(now) / sum(before):.2f} x before ({second})"


def _head() -> str:
    words = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def _strip(file: Path) -> None:
    """Without the secrets that were committed once, encrypted with what nobody else has."""
    if file.exists():
        document = yaml.safe_load(file.read_text())
        document.pop("encryptionsalt", None)
        document["config"].pop("jupyterhub:secrets", None)
        file.write_text(yaml.safe_dump(document))


def _up(here: machine.Machine, clone: Path, home: Path) -> float:
    begun = time.monotonic()
    printed = _make(here, clone, home, "up")
    assert "Login page: answers at" in printed, printed
    return time.monotonic() - begun


def _make(here: machine.Machine, clone: Path, home: Path, *words: str) -> str:
    site = {name: os.environ[name] for name in OF_THE_SITE if name in os.environ}
    env = {"HOME": str(home), "LANG": "C.UTF-8", "PATH": bare_path()} | site
    done = here.run(["make", *words], clone, env)
    assert done.returncode == 0, done.stdout
    return done.stdout
