"""The library as others install it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import components
from tests.checkout import ROOT
from tests.engine.consumer import Environment

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_one_name_is_installed_and_it_has_the_documented_names(bare: Environment) -> None:
    code = """
import importlib.metadata as m, json, pulumi_jupyterhub as p
top = {f.parts[0] for f in m.files("pulumi-jupyterhub")}
print(json.dumps([sorted(t for t in top if not t.endswith(".dist-info")), sorted(p.__all__)]))
"""
    done = bare.run(code)
    assert done.returncode == 0, done.stderr
    (top, names) = __import__("json").loads(done.stdout)
    assert top == ["pulumi_jupyterhub"]
    assert names == sorted(components.__all__)
    page = (ROOT / "docs/python.md").read_text()
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("docker", "p.DockerHost.connect('x', p.DockerHostArgs())"),
        ("aws", "p.Site.connect('aws', 'x', p.SiteArgs())"),
        ("gcp", "p.Site.connect('gcp', 'x', p.SiteArgs())"),
        ("openstack", "p.Site.connect('openstack', 'x', p.SiteArgs())"),
    ],
)
def test_a_missing_sdk_says_which_extra_brings_it(bare: Environment, extra: str, code: str) -> None:
    done = bare.run(f"import pulumi_jupyterhub as p\n{code}")
    assert f"pip install 'pulumi-jupyterhub[{extra}]'" in done.stderr


def test_only_the_chosen_clouds_sdk_is_imported(consumer: Environment) -> None:
    code = """
import sys, pulumi, pulumi_jupyterhub as p
class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args): return args.name, args.inputs
    def call(self, args): return {}
pulumi.runtime.set_mocks(Mocks())
p.Site.connect("openstack", "x", p.SiteArgs())
print([m for m in ("pulumi_aws", "pulumi_gcp", "pulumi_docker") if m in sys.modules])
"""
    done = consumer.run(code)
    assert done.stdout.strip() == "[]", done.stderr


def test_extras_take_the_versions_that_are_tested_here(consumer: Environment) -> None:
    pinned = {}
    for name in ("requirements.txt", "requirements-preflight.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if "==" in line:
                package, version = line.split("==")
                pinned[package] = version
    from packaging.requirements import Requirement

    wanted = [r for rs in PROJECT["optional-dependencies"].values() for r in rs]
    for text in [*PROJECT["dependencies"], *wanted]:
        requirement = Requirement(text)
        if requirement.name in pinned:
            assert requirement.specifier.contains(pinned[requirement.name]), text


def test_the_images_come_with_it(consumer: Environment) -> None:
    """The same content has the same tag, in a checkout and in a wheel."""
    from components.images import content_digest

    code = """
import pulumi_jupyterhub as p
from pulumi_jupyterhub.images import content_digest
for name in ("hub", "rclone", *(image.value for image in p.BundledImage)):
    print(name, content_digest(p.bundled_image(name), None, {}))
"""
    done = consumer.run(code)
    found = dict(line.split() for line in done.stdout.splitlines())
    folders = [path.parent for path in (ROOT / "images").glob("*/Dockerfile")]
    here = {folder.name: content_digest(folder, None, {}) for folder in folders}
    assert found == here, done.stderr


def test_examples_pass_mypys_strict_mode(consumer: Environment, tmp_path: Path) -> None:
    programs = sorted((ROOT / "examples").rglob("__main__.py"))
    assert len(programs) >= 7
    for program in programs:
        done = _mypy(program, consumer, tmp_path)
        assert done.returncode == 0, done.stdout


def test_types_are_not_lost_on_the_way(consumer: Environment, tmp_path: Path) -> None:
    program = tmp_path / "wrong.py"
    program.write_text("import pulumi_jupyterhub as p\np.SizeArgs(cpus='four')\n")
    done = _mypy(program, consumer, tmp_path)
    assert 'Argument "cpus" to "SizeArgs" has incompatible type "str"' in done.stdout


def _mypy(
    program: Path, environment: Environment, folder: Path
) -> subprocess.CompletedProcess[str]:
    config = folder / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\n")
    command = [sys.executable, "-m", "mypy", "--python-executable", environment.python]
    command += ["--config-file", config, "--cache-dir", folder / "cache", program]
    return subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False
    )
