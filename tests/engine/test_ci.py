"""What the workflows run, as a runner runs it: their own `run` and `script` lines.

The engine is real, the cloud is the stand-in's, and so are the APIs of GitHub and GitLab
(tests/engine/forges.py).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkout import ROOT, Checkout
from tests.engine.clouds import CloudStack
from tests.engine.forges import GitHub, GitLab, serving
from tests.engine.test_preview_report import changed, renamed

FORGES = {"github": GitHub, "gitlab": GitLab}


class Runner:
    """A job of a workflow, in a stack's checkout."""

    def __init__(self, stack: Checkout, kind: str, url: str, folder: Path) -> None:
        self.stack, self.kind, self.folder = stack, kind, folder
        self.environment = dict(stack.environment)
        self.set_description("")
        if kind == "github":
            self.environment |= {
                "GITHUB_ACTIONS": "true",
                "GITHUB_API_URL": url,
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_SHA": "f00",
                "GITHUB_EVENT_PATH": str(folder / "event.json"),
                "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
                "GITHUB_TOKEN": "a-token",
            }
        else:
            self.environment |= {
                "GITLAB_CI": "true",
                "CI_API_V4_URL": url,
                "CI_PROJECT_ID": "5",
                "CI_PROJECT_URL": "https://gitlab.example/o/r",
                "CI_MERGE_REQUEST_IID": "7",
                "CI_COMMIT_SHA": "f00",
                "CI_DEFAULT_BRANCH": "main",
                "GITLAB_TOKEN": "a-token",
            }

    def set_description(self, text: str) -> None:
        event = {"pull_request": {"number": 7, "body": text}}
        (self.folder / "event.json").write_text(json.dumps(event))

    def know_the_stack(self) -> None:
        """What a run of the repository itself has, and a fork's doesn't."""
        shown = self.stack.make("env")
        values = dict(line[7:].split("=", 1) for line in shown.splitlines() if "=" in line)
        for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"):
            self.environment[name] = values[name].strip("'")

    def run(self, job: str, **more: str) -> tuple[int, str]:
        """Runs the job's last line; returns its exit code and all it printed."""
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", line_of(self.kind, job)],
            cwd=self.stack.root,
            env=self.environment | {"STACK": self.stack.stack} | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stdout
        return done.returncode, done.stdout


def line_of(kind: str, job: str) -> str:
    """The command of a job, as its workflow has it; without what compares with a base commit."""
    if kind == "gitlab":
        jobs = yaml.load((ROOT / ".gitlab-ci.yml").read_text(), _Loader)
        line = str(jobs[job]["script"][-1])
        return line.replace(' BASE="$CI_MERGE_REQUEST_DIFF_BASE_SHA"', "")
    file = {"preview": "preview", "deploy": "deploy", "drift": "drift", "digests": "images"}[job]
    workflow = yaml.safe_load((ROOT / f".github/workflows/{file}.yml").read_text())
    name = {"deploy": "up", "digests": "propose"}.get(job, job)
    return str(workflow["jobs"][name]["steps"][-1]["run"])


class _Loader(yaml.SafeLoader):
    """YAML with GitLab's `!reference`."""


_Loader.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudStack]:
    made = CloudStack(tmp_path_factory.mktemp("ci") / "stack", "openstack", 33)
    with made.host.listening():
        made.make("setup")
        made.up()
        yield made


@pytest.fixture(params=list(FORGES))
def world(
    request: pytest.FixtureRequest, stack: CloudStack, tmp_path: Path
) -> Iterator[tuple[Any, Runner]]:
    forge = FORGES[request.param]()
    with serving(forge) as url:
        yield forge, Runner(stack, request.param, url, tmp_path)


def test_one_comment_that_is_updated(world: tuple[Any, Runner], stack: CloudStack) -> None:
    forge, runner = world
    runner.know_the_stack()
    # Somebody else's comment with the same mark is not touched.
    copied = {"body": "<!-- pulumi-jupyterhub: preview-topenstack -->\nme", "author": {"id": 1}}
    forge.notes.append(copied | {"id": 1, "user": {"type": "User"}})
    code, printed = runner.run("preview")
    assert code == 0, printed
    with changed(stack, lambda: stack.merge(volumes={"data": {"size": 70}})):
        code, printed = runner.run("preview")
    assert code == 0, printed
    assert len(forge.notes) == 2
    assert forge.texts()[0].endswith("me")
    assert "`size`: `50` → `70`" in forge.texts()[1]
    if runner.kind == "github":
        assert "Preview of stack" in (runner.folder / "summary.md").read_text()


def test_lost_data_fails_the_job_until_the_description_approves(
    world: tuple[Any, Runner], stack: CloudStack
) -> None:
    forge, runner = world
    runner.know_the_stack()
    with changed(stack, lambda: renamed(stack)):
        code, _ = runner.run("preview")
        assert code != 0
        assert "⛔ **Data would be lost.**" in forge.texts()[0]
        runner.set_description("On purpose.\n\nreplace-ok: data")
        forge.description = "On purpose.\n\nreplace-ok: data"
        runner.run("preview")
    assert len(forge.notes) == 1
    assert "Approved by `replace-ok: data`" in forge.texts()[0]


def test_a_fork_gets_a_preview_without_secrets_that_says_so(world: tuple[Any, Runner]) -> None:
    forge, runner = world
    forge.read_only = True
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        runner.environment.pop(name, None)
    code, printed = runner.run("preview", PULUMI_CONFIG_PASSPHRASE="")
    assert code == 0, printed
    assert "**Made without this stack's state, secrets and credentials.**" in printed
    assert "No comment, for this run may only read" in printed
    assert not forge.notes


def test_a_mistake_in_the_stack_file_is_in_the_comment(
    world: tuple[Any, Runner], stack: CloudStack
) -> None:
    forge, runner = world
    runner.know_the_stack()
    with changed(stack, lambda: stack.merge(hub={"admns": ["x"]})):
        code, _ = runner.run("preview")
    assert code != 0
    (text,) = forge.texts()
    assert "jupyterhub:hub.admns: unknown key. Did you mean `admins`?" in text


def test_an_api_that_fails_fails_the_job(stack: CloudStack, tmp_path: Path) -> None:
    runner = Runner(stack, "github", "http://127.0.0.1:9", tmp_path)
    runner.know_the_stack()
    code, printed = runner.run("preview")
    assert code != 0
    assert "no answer from http://127.0.0.1:9" in printed


def test_drift_opens_updates_and_closes_one_issue(
    world: tuple[Any, Runner], stack: CloudStack
) -> None:
    forge, runner = world
    runner.know_the_stack()
    code, printed = runner.run("drift")
    assert code == 0, printed
    assert not forge.issues
    stack.edit_cloud(lambda cloud: _resize(cloud, 99))
    try:
        code, printed = runner.run("drift")
        assert code == 0, printed
        stack.host.set("down")
        code, printed = runner.run("drift")
        assert code == 0, printed
    finally:
        stack.host.set("down", on=False)
        stack.edit_cloud(lambda cloud: _resize(cloud, 50))
    (issue,) = forge.issues
    text = issue.get("body") or issue["description"]
    assert issue["title"] == "Stack topenstack is not what its state says"
    assert "| Volume `data` | changed | `size`: `50` → `99` |" in text
    assert "The machine could not be reached from here" in text
    code, printed = runner.run("drift")
    assert code == 0, printed
    assert "close" in json.dumps(forge.issues)
    state = json.loads(stack.pulumi("stack", "export", "--stack", stack.stack))
    assert '"size": 99' not in json.dumps(state)  # it looked, and changed nothing


def _resize(cloud: dict[str, Any], size: int) -> None:
    for resource in cloud["resources"].values():
        if resource["type"].endswith("volume:Volume") and "size" in resource["inputs"]:
            for values in (resource["inputs"], resource.get("outputs", {})):
                values["size"] = size


def test_a_deployment_stops_where_data_would_be_lost(
    world: tuple[Any, Runner], stack: CloudStack
) -> None:
    _, runner = world
    runner.know_the_stack()
    with changed(stack, lambda: renamed(stack)):
        code, printed = runner.run("deploy")
    assert code != 0
    assert "Data would be lost, see above" in printed
    assert "pulumi up" not in printed


def test_a_deployment_needs_a_state_that_ci_reaches(world: tuple[Any, Runner]) -> None:
    _, runner = world
    runner.environment.pop("PULUMI_BACKEND_URL", None)
    code, printed = runner.run("deploy")
    assert code != 0
    assert "make backend STACK=topenstack" in printed


def test_the_key_is_brought_where_only_the_secrets_are(stack: CloudStack) -> None:
    """CI and colleagues have the stack's secrets, not the first machine's files."""
    from toolchain.stacks.machine import Machine
    from toolchain.stacks.stack import Stack
    from toolchain.stacks.vm import bring_key

    key = stack.root.parent / "new" / "key"
    known = Machine("u", "127.0.0.1", 22, ("-i", str(key)))
    shown = stack.secrets()["ssh_key"]

    class Told(Stack):
        def pulumi(self, *words: str, given: str = "") -> Any:
            assert words[:2] == ("config", "get")
            return subprocess.CompletedProcess(words, 0, shown, "")

    bring_key(Told(stack.stack), known)
    assert key.read_text().startswith("-----BEGIN")
    assert oct(key.stat().st_mode & 0o777) == "0o600"


def test_the_steps_before_name_the_stacks_that_a_change_touches(tmp_path: Path) -> None:
    """The job `touched` of preview.yml, in a repository with a change."""
    repository = tmp_path / "repository"
    repository.mkdir()
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    parts = ("toolchain/", "stacks/", "Makefile", "components/", "docs/", "requirements.txt")
    for name in listed.stdout.splitlines():
        if name.startswith(parts):
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            (repository / name).write_bytes((ROOT / name).read_bytes())
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "first")
    base = git(repository, "rev-parse", "HEAD")
    changes = {
        "stacks/catalogue/aws.yaml": '["aws"]',
        "components/cloud_vm/gcp.py": '["gcp", "gcp-private"]',
        "docs/aws.md": "[]",
        "stacks/vm.py": json.dumps(sorted(_stacks())),
    }
    workflow = yaml.safe_load((ROOT / ".github/workflows/preview.yml").read_text())
    command = workflow["jobs"]["touched"]["steps"][-1]["run"]
    for name, expected in changes.items():
        with (repository / name).open("a") as file:
            file.write("\n# changed\n")
        git(repository, "commit", "-qam", name)
        output = tmp_path / "output"
        output.write_text("")
        subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=repository,
            env=os.environ | {"BASE": base, "GITHUB_OUTPUT": str(output)},
            check=True,
        )
        assert output.read_text() == f"stacks={expected}\n"
        git(repository, "reset", "-q", "--hard", base)
    (repository / "Makefile").unlink()
    own = os.environ | {"BASE": base, "GITHUB_OUTPUT": str(output)}
    failed = subprocess.run(["bash", "-e", "-c", command], cwd=repository, env=own, check=False)
    assert failed.returncode, "a fault of the command ends the job"


def _stacks() -> list[str]:
    return [path.stem for path in (ROOT / "stacks/catalogue").glob("*.yaml")]


def git(folder: Path, *words: str) -> str:
    own = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    done = subprocess.run(
        ["git", *own, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("kind", list(FORGES))
def test_new_digests_become_one_pull_request(kind: str, tmp_path: Path) -> None:
    """From `references/` to a branch and a request for it; a second run changes nothing."""
    checkout = Checkout(tmp_path, "tdigests", 34, {})
    checkout.file.unlink()
    bare = tmp_path / "server/o/r.git"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    git(checkout.root, "init", "-q", "-b", "main")
    git(checkout.root, "add", "-A")
    git(checkout.root, "commit", "-qm", "first")
    references = checkout.root / "references"
    references.mkdir()
    reference = f"registry.example/o/r/notebook@sha256:{'a' * 64}"
    (references / "notebook").write_text(f"{reference}\n")
    forge = FORGES[kind]()
    with serving(forge) as url:
        runner = Runner(checkout, kind, url, tmp_path)
        server = f"file://{tmp_path}/server"
        runner.environment |= {"GITHUB_SERVER_URL": server, "CI_PROJECT_URL": f"{server}/o/r"}
        code, printed = runner.run("digests")
        assert code == 0, printed
        (request,) = forge.requests
        assert "images" in json.dumps(request)
        pushed = git(bare, "show", "images:stacks/catalogue/aws.yaml")
        assert reference in pushed
        assert "bundled: notebook" not in pushed
        assert "# " in pushed  # its comments are still there
        code, printed = runner.run("digests")
        assert code == 0, printed
        assert "Nothing has changed: no pull request" in printed
    assert len(forge.requests) == 1
