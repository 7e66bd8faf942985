"""Nothing is lost and nobody is cut off, whatever happens to the parts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from tests import engine_lock
from tests.checkout import ENGINE, Checkout, changed_nothing, running
from tests.client import Kernel, User, eventually
from tests.local.conftest import NOTEBOOK, student
from tests.servers.late_engine import late_engine
from toolchain.setup import docker_engine, engine

CONFIG = {"hub": {"images": [{"title": "Python", "source": NOTEBOOK, "memory_limit": "1G"}]}}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with running(tmp_path_factory.mktemp("survival"), "tsurv", 4, CONFIG) as checkout:
        yield checkout


@pytest.fixture
def anna(hub: Checkout) -> Iterator[User]:
    user = student(hub, "anna")
    user.start()
    yield user


def hub_answers(hub: Checkout) -> bool:
    return requests.get(f"{hub.url}/hub/health", timeout=5).status_code == 200


def works_on(kernel: Kernel, anna: User) -> None:
    """The open notebook computes, and another tab opens with the login that is cached."""
    assert kernel.run("print(answer)") == "42"
    assert anna.get("api/contents").status_code == 200


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_the_hub_comes_back_by_itself_and_notebooks_go_on(
    hub: Checkout, anna: User, how: str
) -> None:
    server = hub.server("anna").id
    with anna.kernel() as kernel:
        kernel.run("answer = 42")
        works_on(kernel, anna)
        container = hub.container("hub")
        if how == "kill":
            container.kill()
        else:
            container.stop(timeout=20)  # a graceful end is the one that stops servers by default
        works_on(kernel, anna)
        eventually("the hub is back", lambda: hub_answers(hub), 60)
        works_on(kernel, anna)
    assert hub.server("anna").id == server
    assert anna.session.get(f"{hub.url}/hub/home").status_code == 200  # still logged in


def test_a_setting_replaces_the_hub_and_nothing_else(hub: Checkout, anna: User) -> None:
    before, server = hub.ids(), hub.server("anna").id
    with anna.kernel() as kernel:
        kernel.run("answer = 42")
        hub.configure(hub={"title": "Another title"})
        printed = hub.make("up")
        works_on(kernel, anna)
    after = hub.ids()
    assert {role for role in after if after[role] != before[role]} == {"hub"}, printed
    assert hub.server("anna").id == server
    assert "Another title" in requests.get(f"{hub.url}/hub/login", timeout=10).text


def test_traefik_comes_back_by_itself_and_sessions_go_on(hub: Checkout, anna: User) -> None:
    with anna.kernel() as kernel:
        kernel.run("answer = 42")
    hub.container("proxy").kill()
    eventually("a new tab opens", lambda: anna.get("api/contents").status_code == 200, 60)
    assert hub.server("anna").status == "running"


def test_a_new_image_is_for_new_starts(hub: Checkout, anna: User) -> None:
    anna.run("open('kept', 'w').write('yes')")
    old = hub.server("anna").attrs["Config"]["Image"]
    with (hub.root / "images/notebook/Dockerfile").open("a") as file:
        file.write('LABEL changed="yes"\n')
    hub.make("up")
    assert hub.server("anna").attrs["Config"]["Image"] == old
    assert hub.server("anna").status == "running"
    anna.stop()
    anna.start()
    assert hub.server("anna").attrs["Config"]["Image"] != old
    assert anna.run("print(open('kept').read())") == "yes"


def test_down_and_up_keep_homes_users_and_passwords(hub: Checkout, anna: User) -> None:
    ben = student(hub, "ben")
    ben.start()
    anna.run("open('kept', 'w').write('through down')")
    before = hub.outputs
    printed = hub.make("down")
    assert "2 stopped" in printed
    assert f"{hub.deployment}-homes" in printed
    assert hub.containers() == []
    hub.make("up")
    assert hub.outputs == before
    again = student(hub, "anna")
    again.start()
    assert again.run("print(open('kept').read())") == "through down"
    # The cookie of before is still good: the database and its key are kept, too.
    assert anna.session.get(f"{hub.url}/hub/home").url.endswith("/hub/home")


def test_a_plain_destroy_leaves_nothing_in_use(hub: Checkout, anna: User) -> None:
    ben = student(hub, "ben")
    ben.start()
    anna.run("open('kept', 'w').write('through destroy')")
    words = ("destroy", "--yes", "--skip-preview", "--exclude-protected", "--stack", hub.stack)
    hub.pulumi(*words)
    assert hub.containers() == []
    assert ENGINE.networks.list(names=[f"{hub.deployment}-users"]) == []
    hub.make("up")
    again = student(hub, "anna")
    again.start()
    assert again.run("print(open('kept').read())") == "through destroy"


@pytest.mark.parametrize("role", ["hub", "proxy", "guard"])
def test_a_container_removed_by_hand_is_made_again(hub: Checkout, role: str) -> None:
    hub.container(role).remove(force=True)
    hub.make("up")
    assert hub.container(role).status == "running"
    assert hub_answers(hub)


def test_a_network_removed_by_hand_is_made_again(hub: Checkout) -> None:
    for server in hub.containers("user"):
        server.remove(force=True)
    (network,) = ENGINE.networks.list(names=[f"{hub.deployment}-users"])
    network.remove()
    hub.make("up")
    anna = student(hub, "anna")
    anna.start()
    assert anna.run("print(1)") == "1"


def test_lost_homes_are_reported_not_made_anew(hub: Checkout) -> None:
    name = f"{hub.deployment}-homes"
    for container in (*hub.containers("user"), hub.container("hub")):
        container.remove(force=True)
    ENGINE.volumes.get(name).remove()
    printed = hub.make("up", check=False)
    assert (
        f"Data is missing: the volume {name} was there and is gone. Nothing was changed." in printed
    )
    assert "make up ACCEPT_EMPTY=homes" in printed
    assert name not in [volume.name for volume in ENGINE.volumes.list()]
    # A plain `pulumi up --refresh` would make it anew: then the hub itself notices.
    failed = hub.pulumi(
        "up", "--yes", "--skip-preview", "--refresh", "--stack", hub.stack, check=False
    )
    assert "The data of `homes` is not what was there before" in failed
    printed = hub.make("up", "ACCEPT_EMPTY=homes")
    assert hub_answers(hub), printed


def test_killed_at_any_point_the_next_up_converges(hub: Checkout) -> None:
    anna = student(hub, "anna")
    anna.start()
    anna.run("open('kept', 'w').write('through kills')")
    for number, seconds in enumerate((0.7, 1.4, 2.1, 3.0, 4.2)):
        hub.configure(hub={"title": f"Attempt {number}"})
        process = hub.start_make("up")
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    hub.make("up")
    assert "Attempt 4" in requests.get(f"{hub.url}/hub/login", timeout=10).text
    again = student(hub, "anna")
    eventually("anna's server", again.is_open)
    assert again.run("print(open('kept').read())") == "through kills"
    assert changed_nothing(hub.make("up"))


def test_killed_while_it_makes_everything(hub: Checkout) -> None:
    for seconds in (2.2, 3.2):
        hub.make("down")
        process = hub.start_make("up")
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        hub.make("up")
        assert hub_answers(hub)


@pytest.mark.parametrize("late", [False, True])
def test_a_container_that_the_engine_made_and_did_not_tell_is_taken_back(
    hub: Checkout, tmp_path: Path, late: bool
) -> None:
    """Pulumi noted nothing. `late`: the engine makes it while the next `up` is at work."""
    request = f"/containers/create?name={hub.deployment}-hub"
    with late_engine(tmp_path, request, late=late) as engine:
        try:
            hub.configure(docker={"host": engine.host})
            hub.container("hub").remove(force=True)
            hub.make("up", check=False)
            assert engine.lost.is_set() is not late
            lost = hub.containers("hub")
            assert len(lost) == (0 if late else 1)
            printed = hub.make("up")
            assert engine.lost.is_set()
        finally:
            hub.configure(docker=None)
            hub.make("up")
    assert "Leftovers of this stack: removed 1 containers" in printed
    assert ("is there already" in printed) is late
    assert not {each.id for each in lost} & set(hub.ids().values())
    assert hub_answers(hub)


def test_a_killed_up_whose_pulumi_lives_on_is_waited_for(hub: Checkout) -> None:
    hub.configure(hub={"title": "Waited for"})
    process = hub.start_make("up")
    eventually("pulumi is at work", lambda: _locks(hub), 20)
    process.kill()  # make alone; what it started goes on
    printed = hub.make("up")
    process.wait()
    assert "Leftovers" not in printed  # what was made meanwhile is nobody's leftover
    assert "Waited for" in requests.get(f"{hub.url}/hub/login", timeout=10).text


def test_two_at_once_are_one_after_the_other(hub: Checkout) -> None:
    hub.configure(hub={"title": "Only once"})
    first = hub.start_make("up")
    second = hub.make("up")
    assert first.wait() == 0
    assert "Leftovers" not in second
    assert changed_nothing(hub.make("up"))
    assert "Only once" in requests.get(f"{hub.url}/hub/login", timeout=10).text


def _locks(hub: Checkout) -> list[Path]:
    return list(Path(hub.environment["XDG_DATA_HOME"]).glob("**/locks/**/*.json"))


def test_the_engine_restarts_and_everything_goes_on(hub: Checkout, anna: User) -> None:
    anna.run("open('kept', 'w').write('through a restart')")
    kernel = anna.kernel()
    kernel.run("answer = 42")
    goes_on = ENGINE.info()["LiveRestoreEnabled"]  # a setting of engines that this project installs
    with engine_lock.alone():
        _restart_engine()
    eventually("the hub is back", lambda: hub_answers(hub), 90)
    if goes_on:
        works_on(kernel, anna)
    else:
        eventually("the hub notices", lambda: hub.containers("user") == [], 60)
        anna.start()
    assert anna.run("print(open('kept').read())") == "through a restart"
    anna.stop()
    assert hub.containers("user") == []  # nothing is left behind for who comes next


def _restart_engine() -> None:
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "restart", "docker"], check=True)
        return
    pid = int(Path("/var/run/docker.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    eventually("the engine has ended", lambda: not Path(f"/proc/{pid}").exists(), 60)
    docker_engine.start(engine.local())


def test_all_that_is_needed_is_in_the_stack_file_and_the_state(hub: Checkout) -> None:
    """The stack file is lost, as by `git checkout`: passwords that people know stay the same."""
    before = hub.outputs["class_password"]
    document = yaml.safe_load(hub.file.read_text())
    document["config"].pop("jupyterhub:secrets")
    hub.file.write_text(yaml.safe_dump(document))
    hub.make("up")
    assert hub.outputs["class_password"] == before
    assert re.match(r"([a-z]{4}-){3}[a-z]{4}$", before)
