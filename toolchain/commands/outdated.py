"""What is pinned, what is the newest, and what is known against the pinned one.

Only looks. What can't be reached is said in its row. Renovate proposes the same in a repository
(.github/renovate.json).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..setup import base_images, go, paths, pulumi_cli
from ..setup.steps import run as run_long
from ..setup.steps import step

TOOLS = ("uv==0.13.9", "pip-audit==2.10.1")
NOT_REACHED = "not reached"
PATIENCE = 10  # seconds for an answer over the network
LONGEST = 300  # seconds for a whole question to a package index
PYTHON_FILES = (
    "requirements*.txt",
    "toolchain/setup/*.txt",
    "images/*/requirements.txt",
    "images/*/requirements/*.txt",
)
CHARTS = "components/platforms/charts.py"
ADVISORIES = "https://api.osv.dev/v1/query"
DEBIAN = "http://deb.debian.org/debian/dists/{}/Release"
MODULES = (
    ("Pulumi", "github.com/pulumi/pulumi/pkg/v3", pulumi_cli.VERSION),
    ("Go", "golang.org/toolchain", go.VERSION),
)
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==([^\s;]+)", re.M)
_CHART = re.compile(r'Chart\(\s*"([^"]+)",\s*"([^"]+)",\s*"([^"]+)"')
_CHART_VERSION = re.compile(r"^ {4}version: ['\"]?v?(\d+(?:\.\d+)*)['\"]?\s*$", re.M)
_RELEASED = re.compile(r"v?(\d+(?:\.\d+)*)")


class _NotReached(Exception):
    """Who would know does not answer."""


@dataclass(frozen=True)
class Row:
    """One pin."""

    name: str
    where: str
    pin: str
    newest: str
    advisories: str

    @property
    def is_worth_a_look(self) -> bool:
        """Whether there is anything to say of it."""
        return self.newest != self.pin or self.advisories not in ("", "none", NOT_REACHED)


def run(given: Namespace) -> None:
    """Prints the table."""
    with step("Python packages", counted=False) as current:
        python = python_rows()
        current.result = f"{len(python)} pins"
    with step("Go modules", counted=False) as current:
        modules = module_rows()
        current.result = f"{len(modules)} pins"
    with step("Helm charts", counted=False) as current:
        charts = chart_rows()
        current.result = f"{len(charts)} pins"
    rows = [*python, *modules, *charts, debian_row()]
    print()
    print(table([row for row in rows if row.is_worth_a_look]))
    print(f"\n{summary(rows)}")


def table(rows: Sequence[Row]) -> str:
    """Aligned text."""
    lines = [("what", "where", "pinned", "newest", "advisories")]
    lines += [(row.name, row.where, row.pin, row.newest, row.advisories) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def summary(rows: Sequence[Row]) -> str:
    """What the table leaves out."""
    newest = sum(row.newest == row.pin for row in rows)
    unknown = sum(row.newest == NOT_REACHED for row in rows)
    unadvised = sum(row.advisories == NOT_REACHED for row in rows)
    said = f"{newest} of {len(rows)} pins are the newest; {unknown} could not be looked up."
    if unadvised:
        said += f" Advisories could not be looked up for {unadvised} pins."
    return said


# Python


def pins(files: Iterable[Path]) -> dict[tuple[str, str], list[str]]:
    """Packages in their versions, and the files that pin them so."""
    found: dict[tuple[str, str], list[str]] = {}
    for file in files:
        where = str(file.relative_to(paths.ROOT))
        for name, version in _PIN.findall(file.read_text()):
            places = found.setdefault((_normal(name), version), [])
            if where not in places:
                places.append(where)
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def python_rows() -> list[Row]:
    """All that requirements files pin."""
    known = pins(sorted(file for each in PYTHON_FILES for file in paths.ROOT.glob(each)))
    tools = _tools()
    newest = _newest(tools, {name for name, _ in known})
    against = _audited(tools, known)
    return [
        Row(
            name,
            places[0] + (f" +{len(places) - 1}" if places[1:] else ""),
            version,
            newest.get(name, NOT_REACHED),
            against.get((name, version), NOT_REACHED),
        )
        for (name, version), places in sorted(known.items())
    ]


def _unless_unreached(ask: Callable[[], str], otherwise: str) -> str:
    try:
        return ask()
    except _NotReached:
        return otherwise


def _tools() -> Path:
    """The folder of uv's and pip-audit's programs."""
    folder = paths.cache() / "outdated" / "-".join(TOOLS).replace("==", "-")
    programs = folder / "bin"
    if not (programs / "pip-audit").exists():
        run_long([sys.executable, "-m", "venv", "--clear", folder], "python3 -m venv")
        quiet = ("-q", "--disable-pip-version-check")
        run_long(
            [programs / "python", "-m", "pip", "install", *quiet, *TOOLS], "installing pip-audit"
        )
    return programs


def _newest(tools: Path, names: set[str]) -> dict[str, str]:
    """The newest version of each that runs on our Python."""
    short = ("-q", "--no-deps", "--no-header", "--no-annotate")
    command = (tools / "uv", "pip", "compile", *short, "--python-version", "3.11", "-")
    answer = _unless_unreached(lambda: _said(command, "\n".join(sorted(names))), "")
    return {_normal(name): version for name, version in _PIN.findall(answer)}


def _audited(tools: Path, known: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What PyPI, or else OSV, knows against each."""
    short = ("--no-deps", "--disable-pip", "-f", "json", "--progress-spinner", "off")
    audit = (tools / "pip-audit", *short, "--timeout", str(PATIENCE), "-r", "/dev/stdin")
    told: dict[tuple[str, str], str] = {}
    for file in _layers(known):
        for service in ("pypi", "osv"):
            try:
                found = advisories(_said((*audit, "-s", service), file))
            except _NotReached:
                continue
            told |= found
            if found:
                break
    return told


def _layers(known: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Requirements files that have each name once."""
    layers: list[dict[str, str]] = []
    for name, version in known:
        layer = next((each for each in layers if name not in each), None)
        if layer is None:
            layers.append(layer := {})
        layer[name] = version
    for layer in layers:
        yield "".join(f"{name}=={version}\n" for name, version in layer.items())


def advisories(answer: str) -> dict[tuple[str, str], str]:
    """What pip-audit's answer says; a package that its service does not have is not in it."""
    try:
        dependencies = json.loads(answer)["dependencies"]
    except (ValueError, KeyError):
        raise _NotReached from None
    return {
        (_normal(each["name"]), each["version"]): _listed(found["id"] for found in each["vulns"])
        for each in dependencies
        if "vulns" in each
    }


def _listed(ids: Iterable[str]) -> str:
    found = sorted(set(ids))
    more = f" and {len(found) - 3} more" if found[3:] else ""
    return ", ".join(found[:3]) + more if found else "none"


def _said(command: Sequence[str | Path], given: str = "") -> str:
    """What a program prints; pip-audit's code is 1 where it found something."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
            cwd="/",
            env=os.environ | {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.TimeoutExpired):
        raise _NotReached from None
    if not done.stdout.strip():
        raise _NotReached
    return done.stdout


# Go, charts, Debian


def module_rows() -> list[Row]:
    """What is built from Go modules."""
    program = shutil.which("go")

    def row(name: str, module: str, pin: str) -> Row:
        command = (program or "go", "list", "-m", "-versions", module)
        versions = _unless_unreached(lambda: _said(command), "")
        against = _unless_unreached(lambda: _known_of(module, pin), NOT_REACHED)
        return Row(name, "toolchain", pin, newest_module(versions) or NOT_REACHED, against)

    return [row(*each) for each in MODULES]


def newest_module(listed: str) -> str:
    """The newest release in what `go list -m -versions` prints; "" without any."""
    words = (word.split("-go")[-1].removesuffix(".linux-amd64") for word in listed.split()[1:])
    return newest_of(words)


def newest_of(versions: Iterable[str]) -> str:
    """The highest that is a release."""
    matches = (_RELEASED.fullmatch(each) for each in versions)
    return max((match[1] for match in matches if match), key=_numbers, default="")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _known_of(module: str, version: str) -> str:
    package = {"name": module, "ecosystem": "Go"}
    if module == "golang.org/toolchain":  # what a compiled program has of it
        package["name"] = "stdlib"
    asked = json.dumps({"package": package, "version": version}).encode()
    return known_advisories(_fetched(urllib.request.Request(ADVISORIES, data=asked)))


def known_advisories(answer: str) -> str:
    """What OSV's answer says."""
    try:
        return _listed(each["id"] for each in json.loads(answer).get("vulns", []))
    except (ValueError, KeyError, AttributeError):
        raise _NotReached from None


def _fetched(asked: str | urllib.request.Request) -> str:
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return str(answer.read().decode(errors="replace"))
    except (OSError, ValueError):
        raise _NotReached from None


def chart_rows() -> list[Row]:
    """The charts of a cluster; nobody lists what is known against one."""

    def row(name: str, repository: str, pin: str) -> Row:
        index = f"{repository.rstrip('/')}/index.yaml"
        newest = _unless_unreached(lambda: newest_chart(name, _fetched(index)), "")
        return Row(f"chart {name}", CHARTS, pin, newest or NOT_REACHED, "")

    return [row(*each) for each in _CHART.findall((paths.ROOT / CHARTS).read_text())]


def newest_chart(name: str, index: str) -> str:
    """The newest release in a chart repository's index, as helm writes it; "" without any."""
    section = re.search(rf"^  {re.escape(name)}:\n((?:  [- ].*\n|\n)*)", index + "\n", re.M)
    return newest_of(_CHART_VERSION.findall(section[1])) if section else ""


def debian_row() -> Row:
    """The Debian of the images; its packages come with each build."""
    codename = base_images.DEBIAN.split(":")[1].split("-")[0]

    def stable() -> str:
        answer = _fetched(DEBIAN.format("stable"))
        found = re.search(r"^Codename: (\S+)", answer, re.M)
        if not found:
            raise _NotReached
        return found[1]

    newest = _unless_unreached(stable, NOT_REACHED)
    return Row("Debian", "images/*/Dockerfile", codename, newest, "")
