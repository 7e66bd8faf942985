"""What `make outdated` reads, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolchain import outdated
from toolchain.outdated import NOT_REACHED, Row

INDEX = """apiVersion: v1
entries:
  hub:
  - apiVersion: v2
    dependencies:
    - name: other
      version: 9.9.9
    version: 4.4.0
  - apiVersion: v2
    version: 4.10.0
  - apiVersion: v2
    version: 5.0.0-beta.1
  hub-more:
  - version: 7.0.0
    name: hub-more
  - apiVersion: v2
    version: "v7.1.0"
generated: "2026-11-01T00:00:00Z"
"""


def audited(**more: object) -> str:
    found = {"name": "Jinja2", "version": "3.1.5", "vulns": [], **more}
    return json.dumps({"dependencies": [found], "fixes": []})


def test_pins_are_read_with_where_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outdated.paths, "ROOT", tmp_path)
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text(
        "# dask==1\n-r two.txt\n-e ./x\ndask[array]==2.0\nJinja2==3.1.5; marker == 'x'\n"
    )
    two.write_text("jinja2==3.1.5\nPyYAML==6.0\nPyYAML==6.1\n")
    assert outdated.pins([one, two]) == {
        ("dask", "2.0"): ["one.txt"],
        ("jinja2", "3.1.5"): ["one.txt", "two.txt"],
        ("pyyaml", "6.0"): ["two.txt"],
        ("pyyaml", "6.1"): ["two.txt"],
    }


def test_an_audit_is_asked_of_each_version_once() -> None:
    layers = list(outdated._layers([("a", "1"), ("a", "2"), ("b", "1")]))
    assert layers == ["a==1\nb==1\n", "a==2\n"]


def test_advisories_are_listed() -> None:
    four = [{"id": f"CVE-{number}"} for number in (4, 2, 3, 1)]
    told = outdated.advisories(audited(vulns=four))
    assert told == {("jinja2", "3.1.5"): "CVE-1, CVE-2, CVE-3 and 1 more"}
    assert outdated.advisories(audited()) == {("jinja2", "3.1.5"): "none"}


def test_a_package_that_was_not_looked_up_is_not_called_safe() -> None:
    """pip-audit says "No known vulnerabilities found", and in its JSON, that it skipped all."""
    skipped = [{"name": "jinja2", "skip_reason": "Dependency not found on PyPI"}]
    assert outdated.advisories(json.dumps({"dependencies": skipped})) == {}
    with pytest.raises(outdated._NotReached):
        outdated.advisories("<html>no such page</html>")


def test_osv_tells_of_a_module() -> None:
    assert outdated.known_advisories('{"vulns": [{"id": "GO-2"}, {"id": "GO-1"}]}') == "GO-1, GO-2"
    assert outdated.known_advisories("{}") == "none"
    with pytest.raises(outdated._NotReached):
        outdated.known_advisories("<html>")


def test_the_newest_is_a_release() -> None:
    listed = "github.com/a/b/v3 v3.9.0 v3.10.0 v3.11.0-rc.1\n"
    assert outdated.newest_module(listed) == "3.10.0"
    go = "golang.org/toolchain v0.0.1-go1.9.0.linux-amd64 v0.0.1-go1.27.4.linux-amd64 "
    assert outdated.newest_module(go + "v0.0.1-go1.30.0.windows-386 v0.0.1-go1.28rc1.linux-amd64")
    assert outdated.newest_module(go) == "1.27.4"
    assert outdated.newest_module("") == ""


def test_a_charts_newest_release_is_its_own() -> None:
    assert outdated.newest_chart("hub", INDEX) == "4.10.0"
    assert outdated.newest_chart("hub-more", INDEX) == "7.1.0"
    assert outdated.newest_chart("elsewhere", INDEX) == ""
    assert outdated.newest_chart("hub", "<html>") == ""


def test_the_table_is_aligned_and_the_rest_is_counted() -> None:
    rows = [
        Row("dask", "images/dask", "2.0", "2.1", "none"),
        Row("pulumi", "requirements.txt", "3.255.0", "3.255.0", "CVE-1"),
        Row("chart hub", "charts.py", "4.4.0", NOT_REACHED, ""),
        Row("docker", "requirements.txt", "7.1.0", "7.1.0", NOT_REACHED),
    ]
    assert [row.is_worth_a_look for row in rows] == [True, True, True, False]
    lines = outdated.table(rows).splitlines()
    assert lines[0] == "what       where             pinned   newest       advisories"
    assert lines[1] == "dask       images/dask       2.0      2.1          none"
    assert lines[3] == "chart hub  charts.py         4.4.0    not reached"
    assert outdated.summary(rows) == (
        "2 of 4 pins are the newest; 1 could not be looked up. "
        "Advisories could not be looked up for 1 pins."
    )


def test_without_any_network_each_row_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_: object, **__: object) -> str:
        raise OSError("no route")

    monkeypatch.setattr(outdated, "_tools", lambda: Path("/nowhere"))
    monkeypatch.setattr(outdated.subprocess, "run", away)
    monkeypatch.setattr(outdated.urllib.request, "urlopen", away)
    outdated.show()
    *rows, _, said = capsys.readouterr().out.split("what  ", 1)[1].splitlines()[1:]
    assert len(rows) > 200
    assert all(NOT_REACHED in row for row in rows)
    assert said.startswith("0 of ")
