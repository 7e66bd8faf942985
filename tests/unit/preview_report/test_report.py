"""The report's edges. Reports of real previews are in tests/engine/test_preview_report.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.preview_report import Unreadable, judge, page, read
from components.preview_report.gate import approvals_in
from components.preview_report.plan import Change

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
STACK = "urn:pulumi:prod::jupyterhub::"
VOLUME = f"{STACK}jupyterhub:index:SharedVolume$docker:index/volume:Volume::homes"
COMPONENT = f"{STACK}jupyterhub:index:SharedVolume::homes"


def step(op: str, urn: str = VOLUME, **more: Any) -> dict[str, Any]:
    old = {"urn": urn, "parent": COMPONENT, "inputs": {"name": "a"}}
    new = {"urn": urn, "parent": COMPONENT, "inputs": {"name": "b"}}
    states = {"create": {"newState": new}, "delete": {"oldState": old}}
    return {"op": op, "urn": urn} | states.get(op, {"oldState": old, "newState": new}) | more


def component(op: str = "same") -> dict[str, Any]:
    return {"op": op, "urn": COMPONENT, "oldState": {"urn": COMPONENT}}


def plan_of(*steps: dict[str, Any], **more: Any) -> str:
    return json.dumps({"steps": list(steps)} | more)


def report(text: str, *approvals: str) -> str:
    plan = read(text)
    return page(plan, judge(plan, approvals))


def run(text: str, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "components", "preview-report", *options],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("op", ["replace", "delete", "delete-replaced"])
def test_what_a_component_says_holds_data_closes_the_gate(op: str) -> None:
    code, shown = run(plan_of(component(), step(op, replaceReasons=["name"])))
    assert code == 3
    assert "⛔ **Data would be lost.** Volume `homes`" in shown


@pytest.mark.parametrize(
    ("device", "more", "protected", "code"),
    [
        ("/srv/data/homes", {}, False, 0),  # made anew on the next machine, with the same folder
        ("/srv/data/homes", {"replaceReasons": ["driverOpts"]}, False, 3),  # another folder
        ("/srv/data/homes", {}, True, 3),
        ("", {}, False, 3),  # its files go with the machine
    ],
)
def test_a_volume_goes_with_its_machine(
    device: str, more: dict[str, Any], protected: bool, code: int
) -> None:
    change = step("replace", **more)
    change["oldState"] |= {"deletedWith": f"{STACK}aws:ec2/instance:Instance::vm"}
    change["oldState"] |= {"inputs": {"driverOpts": {"device": device}}, "protect": protected}
    assert run(plan_of(component(), change))[0] == code


def test_the_same_type_without_data_does_not() -> None:
    routes = f"{STACK}jupyterhub:index:TraefikProxy$docker:index/volume:Volume::proxy-routes"
    change = step("replace", routes, replaceReasons=["name"])
    assert run(plan_of(change))[0] == 0
    change["oldState"]["protect"] = True  # its owner says so
    assert run(plan_of(change))[0] == 3


def test_the_property_that_forces_it_is_named() -> None:
    shown = report(plan_of(component(), step("replace", replaceReasons=["name"])))
    assert "is replaced because of `name`. Lost would be everything in it" in shown
    assert "`name`: `a` → `b`" in shown


def test_what_stays_where_it_is_is_said() -> None:
    gone = step("delete")
    gone["oldState"]["retainOnDelete"] = True
    shown = report(plan_of(component("delete"), gone))
    assert "stays where it is, but the stack no longer knows of it" in shown


def test_a_step_of_a_newer_pulumi_is_no_reason_to_be_calm() -> None:
    code, shown = run(plan_of(component(), step("transmogrify")))
    assert code == 3
    assert "`transmogrify`, a step that this report does not know" in shown
    code, shown = run(plan_of(step("transmogrify", VOLUME.replace("volume:Volume", "x:X"))))
    assert code == 1
    assert "❌" in shown


def test_an_older_pulumi_tells_a_replacement_in_three_steps() -> None:
    halves = ("create-replacement", "replace", "delete-replaced")
    plan = read(plan_of(component(), *(step(half, detailedDiff=None) for half in halves)))
    assert [s.change for s in plan.steps] == [Change.replace]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "There is no JSON of a preview in it, only: nothing"),
        ("error: could not load plugin", "only: error: could not load plugin"),
        ('{"steps": 3, "changeSummary": {}}', "It has no `steps`"),
        ('{"sequence": 1, "preludeEvent": {}}\n', "Unset PULUMI_ENABLE_STREAMING_JSON_PREVIEW"),
    ],
)
def test_what_is_no_plan_is_red_and_says_what_it_is(text: str, says: str) -> None:
    with pytest.raises(Unreadable, match=says.replace("(", "\\(")):
        read(text)
    code, shown = run(text, "--stack", "prod", "--failed", "exit status 255")
    assert code == 1
    assert "❌ Preview of stack `prod`: no plan" in shown
    assert says in shown
    assert "exit status 255" in shown


def test_text_around_the_plan_does_no_harm() -> None:
    assert read("warning: old\n" + plan_of(component()) + "\nbye").steps == ()


def test_secrets_and_unknowns_are_named_not_shown() -> None:
    old = {"a": "[secret]", "db_password": "one", "b": SECRET | {"ciphertext": "x"}, "c": "1"}
    new = {"a": "[secret]", "db_password": "two", "b": SECRET | {"ciphertext": "y"}}
    new["c"] = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    change = step("update", diffReasons=["a", "b", "c", "db_password"])
    change["oldState"]["inputs"], change["newState"]["inputs"] = old, new
    shown = report(plan_of(change))
    assert "`db_password`: (secret), changed" in shown
    assert "`c`: `1` → (known after the update)" in shown
    assert not [word for word in ("one", "two", "ciphertext") if f"`{word}" in shown]


def test_a_table_survives_its_own_signs_in_values() -> None:
    change = step("update", diffReasons=["name"])
    change["newState"]["inputs"]["name"] = "a|b`c"
    (row,) = [line for line in report(plan_of(change)).splitlines() if "Volume" in line[:10]]
    assert row.replace("\\|", "").count("|") == 4


def test_a_very_large_plan_fits_into_a_comment_and_keeps_its_verdict() -> None:
    urns = [f"{STACK}docker:index/container:Container::c{i}" for i in range(5000)]
    many = [step("update", urn, diffReasons=["name"]) for urn in urns]
    code, shown = run(plan_of(component(), *many, step("delete")))
    assert code == 3
    assert len(shown) < 65_536
    assert "5000 to update, 1 to delete" in shown
    assert "Data would be lost" in shown


def test_approvals_are_lines_of_their_own() -> None:
    text = (
        "Please.\r\n- `replace-ok: homes`\n> replace-ok: data\nnot replace-ok: other\nREPLACE-OK: x"
    )
    assert approvals_in(text) == ["homes", "data", "x"]


def test_an_approval_opens_the_gate_for_its_resource_only(tmp_path: Path) -> None:
    other = VOLUME.replace("::homes", "::state")
    steps = (step("delete"), step("delete", other))
    file = tmp_path / "description"
    file.write_text("replace-ok: homes\nreplace-ok: nothing")
    code, shown = run(plan_of(*steps), "--description", str(file))
    assert code == 3
    assert "Approved by `replace-ok: homes`" in shown
    assert "Volume `state` is deleted" in shown
    assert "`replace-ok: nothing` approves nothing" in shown
    assert run(plan_of(*steps), "--approve", "homes", "--approve", other)[0] == 0


def test_components_and_providers_are_no_rows() -> None:
    provider = step("update", f"{STACK}pulumi:providers:docker::engine", diffReasons=["name"])
    assert read(plan_of(component("update"), provider)).steps == ()
