"""Day-2 commands for a hub in a cluster, behind a `kubectl` that is a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.commands import link, logs, roster
from toolchain.setup.steps import Problem
from toolchain.stacks import cluster as way_in
from toolchain.stacks import converge

from . import cluster as fake
from .cluster import FakeCluster, stack


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    found = stack("facility", login="roster", login_file=None)
    for command in (link, roster):
        monkeypatch.setattr(command, "existing", lambda name: (found, {}))
    monkeypatch.setattr(logs, "Stack", lambda name: found)
    return fake.made(tmp_path / "cluster", monkeypatch)


def test_the_way_in_is_the_stacks_own_and_leaves_nothing(cluster: FakeCluster) -> None:
    with way_in.way(stack("facility", context="school")) as way:
        way.ask("get", "deployment/hub", "--output=json")
    (asked,) = cluster.asked
    assert (asked["kubeconfig"], asked["mode"]) == ("of: facility", 0o600)
    assert asked["words"][:4] == ["--context", "school", "--namespace", "class-facility"]
    assert not Path(asked["file"]).exists()


def test_a_computer_without_kubectl_is_told_so(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Problem, match="kubectl is not on this computer: install it"):
        logs.show("facility", "", follow=False)


def test_a_stack_that_was_never_up_is_told_so(cluster: FakeCluster) -> None:
    found = stack("facility")
    found.outputs = dict  # type: ignore[method-assign]
    with (
        pytest.raises(Problem, match="no cluster yet: make up STACK=facility"),
        way_in.way(found),
    ):
        pass


def test_what_the_cluster_refuses_is_told(cluster: FakeCluster) -> None:
    with (
        way_in.way(stack("facility")) as way,
        pytest.raises(Problem, match="The cluster of facility says: kubectl does not know"),
    ):
        way.ask("dance")


def test_logs_are_those_of_the_proxies_and_the_hub(
    cluster: FakeCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.show("facility", "", follow=False)
    printed = capfd.readouterr().out.splitlines()
    names = ["proxy", "jupyterhub-facility-proxy", "hub"]
    expected = [(f"== deployment.apps/{n}", f"what deployment.apps/{n} says") for n in names]
    assert printed == [line for pair in expected for line in pair]
    assert cluster.asked[-1]["words"][-1] == "--tail=100"


@pytest.mark.parametrize(
    ("what", "followed"), [("", "hub"), ("proxy", "jupyterhub-facility-proxy")]
)
def test_one_is_followed(
    cluster: FakeCluster, capfd: pytest.CaptureFixture[str], what: str, followed: str
) -> None:
    logs.show("facility", what, follow=True)
    assert cluster.asked[-1]["words"][-3:] == [
        f"deployment.apps/{followed}",
        "--tail=100",
        "--follow",
    ]
    assert capfd.readouterr().out.count("==") == 1


def test_without_a_traefik_of_the_stacks_own_the_charts_proxy_is_followed(
    cluster: FakeCluster,
) -> None:
    cluster.traefik.write_text("")
    logs.show("facility", "proxy", follow=True)
    assert "deployment.apps/proxy" in cluster.asked[-1]["words"]


def test_what_is_not_in_a_cluster_has_no_logs(cluster: FakeCluster) -> None:
    with pytest.raises(Problem, match="WHAT=guard is not known; one of: proxy, hub"):
        logs.show("facility", "guard", follow=False)
    for file in (cluster.root / "deployments").iterdir():
        file.write_text("")
    with pytest.raises(Problem, match="Nothing runs there"):
        logs.show("facility", "", follow=False)


def test_the_roster_is_printed_reset_and_written(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for word in ("list", "sheet", "anna"):
        cluster.says(word, f"{word} of the class")
    roster.edit("facility", "", "", "", "")
    roster.edit("facility", "", "", "anna", "")
    roster.edit("facility", "", "", "", str(tmp_path / "sheet.html"))
    printed = capsys.readouterr().out
    assert "list of the class" in printed and "anna of the class" in printed
    assert (tmp_path / "sheet.html").read_text() == "sheet of the class\n"
    first, second, _ = cluster.asked
    inside = ["exec", "deployment/hub", "--", "python3", "-m", "hubkit.accounts"]
    assert first["words"][2:] == [*inside, "list"]
    assert second["words"][2:] == [*inside, "reset", "anna"]


def test_names_come_and_go(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    order: list[object] = []
    monkeypatch.setattr(roster, "_change", lambda _, add, remove: order.append((add, remove)))
    monkeypatch.setattr(converge, "up", order.append)
    for word in ("list", "anna", "ben"):
        cluster.says(word, word)
    roster.edit("facility", "anna", "ben", "", "")
    assert order == [(["anna"], ["ben"]), "facility"]
    assert [each["words"][-2:] for each in cluster.asked][:2] == [
        ["add", "anna"],
        ["remove", "ben"],
    ]


def test_what_the_hub_refuses_is_told_in_its_own_words(cluster: FakeCluster) -> None:
    (cluster.root / "refuses").write_text("zoe is not on the roster: anna")
    with pytest.raises(Problem) as told:
        roster.edit("facility", "", "", "zoe", "")
    assert str(told.value) == "zoe is not on the roster: anna"


def test_a_link_leads_to_the_hub_in_the_cluster(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    link.print_link("facility", "https://github.com/you/course", "main", "")
    assert capsys.readouterr().out.startswith("https://facility.example.org/hub/user-redirect/git")
