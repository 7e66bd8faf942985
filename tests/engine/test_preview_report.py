"""The preview report and its gate, on previews of the project's own stack by the real engine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.checkout import ROOT, Checkout
from tests.engine.clouds import CloudStack
from toolchain.plugins.cloud_standin import CLOUD

RED = "❌"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudStack]:
    made = CloudStack(tmp_path_factory.mktemp("report") / "stack", "openstack", 31)
    with made.host.listening():
        made.make("setup")
        assert "a new stack: there is no state yet" in made.make("preview")
        made.up()
        yield made


@contextmanager
def changed(stack: CloudStack, change: Callable[[], object]) -> Iterator[None]:
    """A change of the checkout, taken back afterwards."""
    files = [stack.file, stack.root / "stacks/vm.py"]
    before = [file.read_text() for file in files]
    change()
    try:
        yield
    finally:
        for file, text in zip(files, before, strict=True):
            file.write_text(text)


def renamed(stack: CloudStack, options: str = "") -> None:
    """Another name in the program for the volume that all data is on."""
    file = stack.root / "stacks/vm.py"
    made = "SharedVolume(_of(name), args, site)"
    assert made in file.read_text()
    new = f'SharedVolume(_of(name) + "-new", args, site{options})'
    file.write_text(file.read_text().replace(made, new))


def unprotect(stack: CloudStack) -> None:
    stack.merge(volumes={"data": {"protect": False}})


def row(report: str, resource: str) -> str:
    (found,) = [line for line in report.splitlines() if line.startswith(f"| {resource} ")]
    return found


def test_nothing_to_do(stack: CloudStack) -> None:
    assert "✅ Preview of stack `topenstack`: nothing to do" in stack.make("preview")


def test_a_container_is_replaced(stack: CloudStack) -> None:
    with changed(stack, lambda: stack.merge(hub={"title": "Physics"})):
        report = stack.make("preview")
    assert RED not in report
    assert "**replace** | `uploads`" in row(report, "Container `hub`")
    assert "Physics" not in report  # it is in one document with what is secret


def test_the_vm_is_replaced_and_the_data_is_not(stack: CloudStack) -> None:
    with changed(stack, lambda: stack.merge(vm={"rebuild": 1})):
        report = stack.make("preview")
    assert RED not in report
    assert "its replacement trigger: `0` → `1`" in row(report, "Instance `vm`")
    assert "goes with Instance vm" in row(report, "VolumeAttach `data`")
    assert "known after the update" in row(report, "Stash `vm-ready`")


def test_a_grown_volume_loses_nothing(stack: CloudStack) -> None:
    with changed(stack, lambda: stack.merge(volumes={"data": {"size": 70}})):
        report = stack.make("preview")
    assert RED not in report
    assert "update in place | `size`: `50` → `70`" in row(report, "Volume `data`")


def test_a_renamed_volume_is_red(stack: CloudStack) -> None:
    with changed(stack, lambda: renamed(stack)):
        report = stack.make("preview", check=False)
        approved = stack.make("preview", "REPLACE_OK=data", check=False)
    for line in (
        "⛔ **Data would be lost.** Volume `data` is deleted: the program no longer has it",
        "renamed, to `data-new`? Tell Pulumi its old name, and nothing happens: "
        '`opts=ResourceOptions(aliases=[Alias(name="data")])`',
        "It is protected, so the update would refuse",
        "`replace-ok: data`",
        "**The preview failed.** What comes after this point is unknown",
    ):
        assert line in report
    assert "Approved by `replace-ok: data`" in approved
    assert RED in approved  # what is protected stays, whatever a description says


def test_an_unprotected_volume_is_red_too_until_it_is_approved(
    stack: CloudStack, tmp_path: Path
) -> None:
    description = tmp_path / "description.md"
    description.write_text("Moves to the new disk.\r\n\r\nreplace-ok: data\r\nreplace-ok: dta\r\n")
    with changed(stack, lambda: unprotect(stack)):
        stack.up()
        try:
            with changed(stack, lambda: renamed(stack)):
                report = stack.make("preview", check=False)
                approved = stack.make("preview", f"DESCRIPTION={description}")
        finally:
            stack.up()
    stack.up()  # protected again
    assert "⛔ **Data would be lost.** Volume `data` is deleted" in report
    assert "The preview failed" not in report
    assert "Data would be lost" not in approved
    assert "⚠️ Approved by `replace-ok: data`: Volume `data` is deleted" in approved
    assert "`replace-ok: dta` approves nothing" in approved


def test_a_renamed_volume_with_an_alias_is_the_same(stack: CloudStack) -> None:
    alias = ", opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name=_of(name))])"
    with changed(stack, lambda: renamed(stack, alias)):
        report = stack.make("preview")
    assert RED not in report
    assert "delete" not in report
    assert "create" not in report


def test_a_preview_that_fails_halfway_is_red(stack: CloudStack) -> None:
    def fail() -> None:
        file = stack.root / "stacks/vm.py"
        file.write_text(
            file.read_text().replace("    kept = {", "    raise OSError('lost')\n    kept = {")
        )

    with changed(stack, fail):
        report = stack.make("preview", check=False)
    assert "**The preview failed.** What comes after this point is unknown" in report
    assert "lost" in report


def test_without_state_and_secrets_it_says_what_it_cannot_tell(stack: CloudStack) -> None:
    before = stack.file.read_text()
    stack.environment["PULUMI_CONFIG_PASSPHRASE"] = "not the one"
    try:
        report = stack.make("preview", "ALONE=1")
    finally:
        del stack.environment["PULUMI_CONFIG_PASSPHRASE"]
    assert "**Made without this stack's state, secrets and credentials.**" in report
    assert "| Volume `data` | create |" in report
    assert stack.file.read_text() == before


def test_the_report_goes_to_a_file_and_the_diff_is_pulumis(
    stack: CloudStack, tmp_path: Path
) -> None:
    file = tmp_path / "report.md"
    stack.make("preview", f"REPORT={file}")
    assert file.read_text().startswith("### ✅ Preview of stack")
    assert "Resources:" in stack.make("preview", "DIFF=1")


def test_no_secret_is_in_a_report(stack: CloudStack) -> None:
    secrets = json.loads(
        json.loads(stack.pulumi("config", "--show-secrets", "--json", "--stack", stack.stack))[
            "jupyterhub:secrets"
        ]["value"]
    )
    new = "ab" * 32
    with changed(stack, lambda: stack.merge(secrets={"crypt_key": new})):
        report = stack.make("preview")
    assert "Container `hub`" in report
    assert not [name for name, value in secrets.items() if value in report]
    assert new not in report


def test_the_same_preview_from_another_home(stack: CloudStack, tmp_path: Path) -> None:
    """CI's home folder and environment are not the teacher's: that alone is no change."""
    own = dict(stack.environment)
    stack.environment |= {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HTTP_PROXY": "http://proxy.example.org:3128",
        "PIP_INDEX_URL": "https://mirror.example.org/simple",
        "PULUMI_HOME": own.get("PULUMI_HOME", str(Path.home() / ".pulumi")),
    }
    try:
        found = stack.changes()
    finally:
        stack.environment = own
    assert found == {}


STACKS = sorted(path.stem for path in (ROOT / "stacks/catalogue").glob("*.yaml"))


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout without state and secrets; the clouds' plugins are the stand-in's."""
    folder = tmp_path_factory.mktemp("fork")
    made = Checkout(folder, "tfork", 11, {})
    made.file.unlink()
    made.environment[CLOUD] = str(folder / "cloud")
    return made


@pytest.mark.parametrize("name", STACKS)
def test_every_stack_file_previews_without_anything(fork: Checkout, name: str) -> None:
    fork.environment["STACK"] = name
    report = fork.make("preview", "ALONE=1")
    assert f"✅ Preview of stack `{name}`" in report
    assert re.search(r"\| (Container|Release) `hub` \| create \|", report)
