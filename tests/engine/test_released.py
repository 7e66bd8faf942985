"""A state that a release wrote, taken over by this code: no VM and no data is replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.released import CLOUDS, FOLDER, stack_of

VERSIONS = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
IN_PLACE = {"update", "same"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_an_upgrade_keeps_machine_and_data(cloud: str, version: str, tmp_path: Path) -> None:
    stack = stack_of(cloud, tmp_path / "stack")
    stack.file.write_text((FOLDER / version / f"Pulumi.t{cloud}.yaml").read_text())
    stack.merge(vm={"ssh": {"key_file": str(stack.host.key)}})
    stack.pulumi("stack", "init", stack.stack)
    state = FOLDER / version / f"{cloud}.json"
    stack.pulumi("stack", "import", "--stack", stack.stack, "--file", str(state))
    shown = json.loads(stack.pulumi("preview", "--json", "--stack", stack.stack))
    for step in shown["steps"]:
        kind, name = step["urn"].split("::")[2:]
        if kind.rsplit("$", 1)[-1].startswith(f"{cloud}:"):
            assert step["op"] in IN_PLACE, f"{kind} {name}: {step['op']}"
    kept = [r for r in json.loads(state.read_text())["deployment"]["resources"] if r.get("protect")]
    assert kept, "the state has a protected disk"
    asked = {step["urn"]: step["op"] for step in shown["steps"]}
    for resource in kept:
        assert asked.get(resource["urn"], "same") in IN_PLACE
    assert shown["changeSummary"]["same"] > 20  # the names are still the same
