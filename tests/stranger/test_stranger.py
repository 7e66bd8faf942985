"""What the README promises to a stranger: a clone, its commands as they stand there, a hub.

The tests are one story, in this order. Nothing is shared with this account but what was built or
downloaded once. What isn't committed isn't there.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests import engine_lock
from tests.checkout import ROOT, changed_nothing, remove_leftovers
from tests.client import logged_in
from tests.stranger.account import STACK, Readme, Stranger

pytestmark = pytest.mark.timeout(1500)  # the first `make up` may build all images
FIRST = 900  # seconds
NOTE = "from the first lesson"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    with engine_lock.in_use():
        somebody = Stranger(tmp_path_factory.mktemp("stranger"))
        remove_leftovers(somebody.deployment)
        try:
            yield somebody
        finally:
            try:
                if somebody.has():
                    somebody.types("make purge YES=1")
            finally:
                remove_leftovers(somebody.deployment)
                shutil.rmtree(somebody.clone / ".venv", ignore_errors=True)  # pytest keeps the rest


@pytest.fixture(scope="module")
def readme(stranger: Stranger) -> Readme:
    return Readme(stranger.reads("README.md"))


@pytest.fixture(scope="module")
def hub(stranger: Stranger, readme: Readme) -> dict[str, str]:
    """What the first `make up` says of the hub."""
    assert readme.first == "make up"
    return result(stranger.types(readme.first, FIRST))


@pytest.fixture(scope="module")
def secrets(stranger: Stranger, hub: dict[str, str]) -> dict[str, str]:
    """All secrets of the stack by name, and what they are encrypted with."""
    shown = f"pulumi config --show-secrets --json --non-interactive --stack {STACK}"
    done = subprocess.run(
        ["bash", "-c", f'eval "$(make env)" && {shown}'],
        cwd=stranger.clone,
        env=stranger.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = dict(json.loads(json.loads(done.stdout)["jupyterhub:secrets"]["value"]))
    (passphrase,) = stranger.home.rglob("passphrase")
    return found | {"passphrase": passphrase.read_text().strip()}


def result(printed: str) -> dict[str, str]:
    """The hub's address and passwords, as `make up` ends."""
    lines = re.findall(r"^(URL|Class password|Admin|Admin password): +(\S+)$", printed, re.M)
    return dict(lines)


def test_the_clone_is_what_is_committed(stranger: Stranger) -> None:
    def head(folder: object) -> str:
        command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert head(stranger.clone) == head(ROOT)


def test_up_ends_with_the_address_and_how_to_log_in(hub: dict[str, str]) -> None:
    assert hub.keys() == {"URL", "Class password", "Admin", "Admin password"}
    assert hub["Admin"] == "teacher"


def test_the_class_logs_in_and_a_notebook_computes(hub: dict[str, str]) -> None:
    anna = logged_in(hub["URL"], "anna", hub["Class password"])
    anna.start()
    assert anna.run("print(6*7)") == "42"
    write = f"import pathlib; (pathlib.Path.home() / 'note.txt').write_text({NOTE!r})"
    assert anna.run(f"{write}; print('written')") == "written"


def test_the_teacher_is_admin(hub: dict[str, str]) -> None:
    teacher = logged_in(hub["URL"], hub["Admin"], hub["Admin password"])
    assert teacher.session.get(f"{hub['URL']}/hub/admin").status_code == 200


def test_outputs_are_json_with_the_same_passwords(
    stranger: Stranger, readme: Readme, hub: dict[str, str]
) -> None:
    outputs = json.loads(stranger.types(readme.command("make outputs")))
    assert outputs["url"] == hub["URL"]
    assert outputs["class_password"] == hub["Class password"]
    assert outputs["admin_password"] == hub["Admin password"]


def test_up_again_changes_nothing(
    stranger: Stranger, readme: Readme, hub: dict[str, str], secrets: dict[str, str]
) -> None:
    before = stranger.has()
    printed = stranger.types(readme.command("make up"))
    assert changed_nothing(printed)
    assert result(printed) == hub
    assert stranger.has() == before


def test_down_leaves_only_volumes(
    stranger: Stranger, readme: Readme, hub: dict[str, str], secrets: dict[str, str]
) -> None:
    printed = stranger.types(readme.command("make down"))
    left = {each.split()[0] for each in stranger.has()}
    assert {f"{stranger.deployment}-homes", f"{stranger.deployment}-state"} <= left
    assert all(" " not in each for each in stranger.has()), "a container or a network is left"
    assert all(volume in printed for volume in left)


def test_up_after_down_has_the_same_passwords_and_files(
    stranger: Stranger, readme: Readme, hub: dict[str, str], secrets: dict[str, str]
) -> None:
    assert result(stranger.types(readme.command("make up"))) == hub
    anna = logged_in(hub["URL"], "anna", hub["Class password"])
    anna.start()
    assert anna.run("print((__import__('pathlib').Path.home() / 'note.txt').read_text())") == NOTE


def test_purge_without_a_terminal_deletes_nothing(
    stranger: Stranger, readme: Readme, hub: dict[str, str], secrets: dict[str, str]
) -> None:
    before = stranger.has()
    printed = stranger.types(readme.command("make purge"), works=False)
    assert "Nothing was deleted" in printed and "YES=1" in printed
    assert stranger.has() == before


def test_what_commands_say_to_do_is_about_the_same_hub(
    stranger: Stranger, readme: Readme, hub: dict[str, str]
) -> None:
    """Typed as they are told in a shell without STACK, these must not stop or delete `local`."""
    refused = stranger.types(readme.command("make purge"), works=False)
    told = re.findall(r"\bmake (?:up|down|purge)\b.*", stranger.said[0][1] + refused)
    assert {each.split()[1].strip(".") for each in told} == {"up", "down", "purge"}
    assert not [each for each in told if f"STACK={STACK}" not in each]


def test_purge_leaves_nothing(
    stranger: Stranger, readme: Readme, hub: dict[str, str], secrets: dict[str, str]
) -> None:
    assert stranger.has()
    stranger.types(f"{readme.command('make purge')} YES=1")
    assert stranger.has() == set()


def test_the_stack_without_a_name_can_be_set_up(stranger: Stranger, readme: Readme) -> None:
    """`local`, whose port another hub may have: set up, not started."""
    assert "`make setup`" in readme.text and "the stack is `local`" in readme.text
    named = stranger.environment.pop("STACK")
    try:
        stranger.types("make setup")
    finally:
        stranger.environment["STACK"] = named


def test_nothing_printed_is_nobodys_business(
    stranger: Stranger, hub: dict[str, str], secrets: dict[str, str]
) -> None:
    hidden = {k: v for k, v in secrets.items() if k not in ("class_password", "admin_password")}
    assert {"cookie_secret", "crypt_key", "passphrase"} <= hidden.keys()
    for command, printed in stranger.said:
        assert "Traceback" not in printed, command
        assert not [name for name, value in hidden.items() if value in printed], command
        assert not stranger.foreign(printed), command


def test_git_has_nothing_to_say(stranger: Stranger, hub: dict[str, str]) -> None:
    """Nobody commits passwords or a venv by accident, or stands in the way of `git pull`."""
    assert stranger.types("git status --porcelain") == ""
