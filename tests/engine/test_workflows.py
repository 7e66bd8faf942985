"""The workflow files themselves: linted by the field's tools, pinned, and complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.checkout import ROOT
from tests.engine.test_ci import _Loader
from toolchain.setup import go, paths
from toolchain.stacks import pulled

ACTIONLINT = "1.7.12"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
GITLAB = ROOT / ".gitlab-ci.yml"


def run(*command: str | Path) -> None:
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def actionlint() -> Path:
    program = paths.cache() / f"actionlint-{ACTIONLINT}" / "actionlint"
    if not program.exists():
        with go.workspace() as folder:
            source = Path(folder) / "source"
            go.module("github.com/rhysd/actionlint", ACTIONLINT, source)
            go.build(source, "./cmd/actionlint", "", program, "building actionlint", cgo=False)
    return program


def test_actionlint(actionlint: Path) -> None:
    assert len(WORKFLOWS) == 5
    run(actionlint, "-no-color", *WORKFLOWS)


def test_zizmor() -> None:
    """Permissions, secrets, injected text, triggers: what makes workflows unsafe."""
    program = Path(sys.executable).parent / "zizmor"
    run(program, "--offline", "--no-progress", "--config", ROOT / ".github/zizmor.yml", ".github")


def test_schemas() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    run(*check, "vendor.github-workflows", *WORKFLOWS)
    run(*check, "vendor.github-actions", *ACTIONS)
    run(*check, "vendor.gitlab-ci", "--data-transform", "gitlab-ci", GITLAB)


def test_shell_of_gitlabs_jobs() -> None:
    run("bash", "-n", ROOT / ".ci/gitlab-cloud")


def test_actions_are_pinned_by_digest() -> None:
    used = [
        line.split("uses:")[1].strip()
        for file in (*WORKFLOWS, *ACTIONS)
        for line in file.read_text().splitlines()
        if "uses:" in line
    ]
    assert used
    for action in used:
        is_own = action.startswith("./")
        assert is_own or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_is_permitted_that_is_not_named(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["permissions"].get("contents") in ("read", "write"), name
        assert job["timeout-minutes"] <= 120, name


def test_two_updates_of_a_stack_never_meet() -> None:
    for file, job in (("deploy", "up"), ("drift", "drift")):
        workflow = yaml.safe_load((ROOT / f".github/workflows/{file}.yml").read_text())
        concurrency = workflow["jobs"][job]["concurrency"]
        assert concurrency == {"group": "stack-${{ matrix.stack }}", "cancel-in-progress": False}
    jobs = yaml.load(GITLAB.read_text(), _Loader)
    for job in ("deploy", "drift"):
        assert jobs[job]["resource_group"] == "stack-$STACK"


def test_gitlabs_list_of_stacks_is_whole() -> None:
    jobs = yaml.load(GITLAB.read_text(), _Loader)
    (row,) = jobs[".each-stack"]["parallel"]["matrix"]
    names = sorted(path.stem for path in (ROOT / "stacks/catalogue").glob("*.yaml"))
    assert sorted(row["STACK"]) == names


@pytest.mark.parametrize("forge", ["github", "gitlab"])
@pytest.mark.parametrize("finding", [True, False])
def test_what_is_pulled_is_scanned(forge: str, finding: bool, tmp_path: Path) -> None:
    """The jobs' own lines, with a stand-in for the scanner: its database can't be had here."""
    github = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text())["jobs"]
    gitlab = yaml.load(GITLAB.read_text(), _Loader)
    lines = {
        "github": [github["pulled"]["steps"][-1]["run"]],
        "gitlab": [*gitlab["pulled"]["script"], *gitlab["scan-pulled"]["script"]],
    }[forge]
    scanner = tmp_path / "trivy"
    scanner.write_text(
        f'#!/bin/sh\necho "$*" >>"$SCANNED"\ncase "$*" in *traefik*) exit {finding:d};; esac\n'
    )
    scanner.chmod(0o755)
    for name in ("Makefile", "toolchain", "requirements.txt", "stacks"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SCANNED": "scanned"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == finding, done.stdout + done.stderr
    scanned = (tmp_path / "scanned").read_text().splitlines()
    assert [line.split()[-1] for line in scanned] == pulled.references()
    assert all("--severity CRITICAL --ignore-unfixed --exit-code 1" in line for line in scanned)


def test_every_image_is_published() -> None:
    folders = {path.parent.name for path in (ROOT / "images").glob("*/Dockerfile")}
    workflow = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text())
    for job in ("build", "join"):
        assert set(workflow["jobs"][job]["strategy"]["matrix"]["image"]) == folders
    jobs = yaml.load(GITLAB.read_text(), _Loader)
    (row,) = jobs["images"]["parallel"]["matrix"]
    assert set(row["IMAGE"]) == folders
