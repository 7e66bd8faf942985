"""What Renovate is told to look after is there, and what is pinned twice is pinned alike."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = json.loads((ROOT / ".github/renovate.json").read_text())
MANAGERS = {each["description"]: each for each in CONFIG["customManagers"]}
ENGINE = "Pulumi's engine, as its module is served: it is built where the vendor can't be reached"
CHARTS = "components/platforms/charts.py"
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==([^\s;]+)", re.M)


def tracked() -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    shown = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in shown.splitlines() if (ROOT / name).is_file()]


def as_python(pattern: str) -> re.Pattern[str]:
    """Renovate writes a group's name as JavaScript does."""
    return re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", pattern))


def files(pattern: str) -> list[str]:
    assert pattern.startswith("/") and pattern.endswith("/"), pattern
    return [name for name in tracked() if as_python(pattern[1:-1]).search(name)]


def found(description: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Files and what a manager reads in them."""
    manager = MANAGERS[description]
    for name in sorted({name for each in manager["managerFilePatterns"] for name in files(each)}):
        text = (ROOT / name).read_text()
        for pattern in manager["matchStrings"]:
            for match in as_python(pattern).finditer(text):
                yield name, match.groupdict()


def versions(description: str) -> set[str]:
    return {groups["currentValue"] for _, groups in found(description)}


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def pins(*globs: str) -> dict[str, dict[str, str]]:
    """Packages, and which file has them in which version."""
    told: dict[str, dict[str, str]] = {}
    for path in (path for each in globs for path in ROOT.glob(each)):
        for name, version in _PIN.findall(path.read_text()):
            known = re.sub(r"[-_.]+", "-", name).lower()
            told.setdefault(known, {})[str(path.relative_to(ROOT))] = version
    return told


@pytest.mark.parametrize("manager", MANAGERS.values(), ids=MANAGERS)
def test_a_pattern_finds_something_in_each_of_its_files(manager: dict[str, list[str]]) -> None:
    read = {name for name, groups in found(str(manager["description"])) if groups["currentValue"]}
    for pattern in manager["managerFilePatterns"]:
        assert files(pattern), f"no file is like {pattern}"
        assert set(files(pattern)) <= read
    for text in manager["matchStrings"]:
        assert any(as_python(text).search((ROOT / name).read_text()) for name in read)


def test_every_chart_is_found() -> None:
    text = (ROOT / CHARTS).read_text()
    assert len(list(found("Helm charts"))) == text.count("Chart(") > 0


def test_a_chart_is_pinned_in_one_place() -> None:
    """Two files of the library never have the same version of one."""
    for _, chart in found("Helm charts"):
        if chart["depName"] == "jupyterhub":
            continue  # below
        quoted = f'"{chart["currentValue"]}"'
        places = (ROOT / "components").rglob("*.py")
        assert [str(p.relative_to(ROOT)) for p in places if quoted in p.read_text()] == [CHARTS]


def test_the_hubs_chart_is_one_whose_pods_are_known() -> None:
    from components.jupyterhub_host.pods import KNOWN_CHARTS
    from components.platforms.charts import CHARTS as charts

    assert charts["jupyterhub"].version in KNOWN_CHARTS


def test_the_engine_is_not_older_than_the_sdk() -> None:
    """Engines know older SDKs; what a newer SDK asks for they may not have."""
    engines = [groups for _, groups in found(ENGINE)]
    (sdk,) = pins("requirements.txt")["pulumi"].values()
    assert all(numbers(each["currentValue"]) >= numbers(sdk) for each in engines)
    assert numbers("3.100.0") > numbers("3.99.0")


def test_stand_ins_are_of_their_sdks_versions() -> None:
    required = pins("requirements.txt")
    stand_ins = list(found("Official plugins that have a stand-in, in the version of their SDK"))
    assert {groups["depName"] for _, groups in stand_ins} == {"docker", "kubernetes"}
    for _, groups in stand_ins:
        sdk = required[f"pulumi-{groups['depName']}"]
        assert set(sdk.values()) == {groups["currentValue"]}


def test_traefik_is_of_one_version() -> None:
    assert len(versions("Traefik")) == 1


def test_trivy_is_of_one_version_in_both_forges() -> None:
    on_gitlab = re.findall(r"aquasec/trivy:([\d.]+)", (ROOT / ".gitlab-ci.yml").read_text())
    assert versions("trivy, in the workflow; GitLab's is found as an image") == set(on_gitlab)


def test_actions_are_pinned_by_digest() -> None:
    used = re.compile(r"uses: (?!\./)(\S+)(.*)")
    lines = [
        line
        for name in tracked()
        if re.match(r"\.github/(workflows|actions)/.+\.yml", name)
        for line in used.findall((ROOT / name).read_text())
    ]
    assert len(lines) > 10
    for action, comment in lines:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    assert len(set(lines)) == len({action.split("@")[0] for action, _ in lines})  # one version each


def test_an_image_has_what_the_one_beneath_it_has() -> None:
    """All but the hub's and the bucket's are built upon the notebook image."""
    told = pins("images/[!h]*/requirements.txt", "images/ml/requirements/*.txt")
    assert len(told) > 100
    assert {name: where for name, where in told.items() if len(set(where.values())) > 1} == {}


def test_every_package_of_ours_is_in_one_file() -> None:
    told = pins("requirements*.txt")
    assert {name: where for name, where in told.items() if len(where) > 1} == {}


def test_renovate_knows_the_files_that_have_other_names() -> None:
    patterns = CONFIG["pip_requirements"]["managerFilePatterns"]
    usual = re.compile(r"(^|/)[\w-]*requirements([-._]\w+)?\.(txt|pip)$")  # its own pattern
    pinned = {file for where in pins("**/*.txt").values() for file in where}
    pinned = {file for file in pinned & set(tracked()) if not usual.search(file)}
    assert "images/ml/requirements/torch.txt" in pinned
    assert {file for file in pinned if not any(file in files(p) for p in patterns)} == set()
