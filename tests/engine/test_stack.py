"""The real Pulumi engine and a state on disk: what an up, a change and a destroy do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import ENGINE, Checkout, running

IMAGES = [{"title": "Python", "source": {"build": "images/notebook"}}]
KEPT = {"homes", "shared", "state", "certificates", "uploads"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    folder = tmp_path_factory.mktemp("engine")
    hub = {"images": IMAGES}
    with running(folder, "tengine", 6, {"hub": hub}, seeded=False) as checkout:  # its secrets, too
        yield checkout


def changes(stack: Checkout) -> dict[str, str]:
    """What a preview would do, by resource name; what stays the same is left out."""
    shown = json.loads(stack.pulumi("preview", "--json", "--stack", stack.stack))
    return {
        step["urn"].rsplit("::", 1)[1]: step["op"]
        for step in shown["steps"]
        if step["op"] not in ("same", "read")
        and not step["op"].endswith(("create-replacement", "delete-replaced"))
    }


def state(stack: Checkout) -> dict[str, Any]:
    exported = json.loads(stack.pulumi("stack", "export", "--stack", stack.stack))
    return {r["urn"].rsplit("::", 1)[1]: r for r in exported["deployment"]["resources"]}


def test_a_second_up_has_nothing_to_do(stack: Checkout) -> None:
    stack.pulumi("preview", "--refresh", "--expect-no-changes", "--stack", stack.stack)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"hub": {"title": "Physics"}}, {"hub": "replace"}),
        ({"hub": {"memory_reserve": "600M"}}, {"hub": "replace"}),
        ({"hub": {"open_ports": [9999]}}, {"hub": "replace", "hub-guard": "replace"}),
        ({"hub": {"reach": ["10.9.0.0/16"]}}, {"hub": "replace", "hub-guard": "replace"}),
        ({"proxy": {"https_port": 8444}}, {}),
        ({"volumes": {"homes": {"protect": False}}}, {"homes": "update"}),
    ],
)
def test_a_change_replaces_exactly_what_it_says(
    stack: Checkout, sections: dict[str, Any], expected: dict[str, str]
) -> None:
    before = stack.file.read_text()
    try:
        stack.configure(**sections)
        found = changes(stack)
        if "volumes" in sections:
            assert set(found.values()) <= {"update"}  # never a replacement of data
        else:
            assert found == expected
    finally:
        stack.file.write_text(before)


def test_turning_dask_on_touches_only_hub_and_guard(stack: Checkout) -> None:
    before = stack.file.read_text()
    try:
        stack.configure(dask={"workers": 2, "subnet": "10.242.9.0/24"})
        found = {name: op for name, op in changes(stack).items() if not name.startswith("dask")}
        assert found == {"hub": "replace", "hub-guard": "replace"}
    finally:
        stack.file.write_text(before)


def test_no_secret_in_plain_text_anywhere(stack: Checkout) -> None:
    secrets = stack.secrets()
    assert set(secrets) == {
        *("class_password", "admin_password", "cookie_secret", "crypt_key", "roster_key")
    }
    data = Path(stack.environment["XDG_DATA_HOME"])
    files = [path for path in data.rglob("*") if path.is_file() and path.name != "passphrase"]
    assert any(path.name.endswith(".json") and "stacks" in path.parts for path in files)
    for path in (*files, stack.file):
        content = path.read_bytes()
        for name, secret in secrets.items():
            assert secret.encode() not in content, f"{name} in {path}"


def test_the_passphrase_is_its_owners_alone(stack: Checkout) -> None:
    (file,) = Path(stack.environment["XDG_DATA_HOME"]).rglob("passphrase")
    assert file.stat().st_mode & 0o777 == 0o600


def test_components_keep_no_args_in_the_state(stack: Checkout) -> None:
    for name, resource in state(stack).items():
        if resource["type"].startswith("jupyterhub:index:"):
            assert not resource.get("inputs"), name


def test_a_destroy_keeps_the_volumes_and_the_next_up_takes_them(stack: Checkout) -> None:
    before = {name: state(stack)[name]["id"] for name in KEPT}
    words = ("destroy", "--yes", "--skip-preview", "--exclude-protected", "--stack", stack.stack)
    stack.pulumi(*words)
    assert {name for name in KEPT if state(stack)[name].get("protect")} == KEPT
    there = {volume.name for volume in ENGINE.volumes.list()}
    assert set(before.values()) <= there
    stack.make("up")
    assert {name: state(stack)[name]["id"] for name in KEPT} == before


def test_a_destroy_of_everything_is_refused(stack: Checkout) -> None:
    before = stack.ids()
    words = ("destroy", "--yes", "--skip-preview", "--stack", stack.stack)
    printed = stack.pulumi(*words, check=False)
    there = {volume.name for volume in ENGINE.volumes.list()}
    assert {f"{stack.deployment}-{name}" for name in KEPT} <= there, printed
    stack.make("up")
    assert set(stack.ids()) == set(before)


def test_a_lost_state_adopts_the_data_by_name(stack: Checkout) -> None:
    note = f"echo kept > /data/note-{stack.stack}"
    homes = {f"{stack.deployment}-homes": {"bind": "/data"}}
    ENGINE.containers.run("debian:bookworm-slim", ["sh", "-c", note], volumes=homes, remove=True)
    stack.pulumi("stack", "rm", "--yes", "--force", "--preserve-config", stack.stack)
    stack.make("up")
    shown = ENGINE.containers.run(
        "debian:bookworm-slim", ["cat", f"/data/note-{stack.stack}"], volumes=homes, remove=True
    )
    assert shown == b"kept\n"
