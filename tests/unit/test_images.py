"""Images that come with the library: how a stack file names them, and what is built for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components import BundledImage, ImageArgs, JupyterHubHostArgs, bundled_image
from components.images import EgressArgs, base_of
from stacks import pin
from tests.checkout import ROOT
from tests.unit.test_components import compose

REFERENCE = "ghcr.io/o/r/ml@sha256:" + "a" * 64


@pytest.fixture(scope="module")
def built() -> dict[str, dict[str, Any]]:
    """Inputs of what is built for a stack with four images."""
    recorder, _ = compose("local.happy.images.yaml")
    prefix = "jupyterhub-test-image-"
    found = {name: inputs for name, inputs in recorder.inputs.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): inputs for name, inputs in found.items()}


def test_a_bundled_image_brings_the_one_it_is_based_on(built: dict[str, Any]) -> None:
    base = built["notebook"]["imageName"]
    assert built["root"]["build"]["args"]["BASE_IMAGE"] == base
    assert "BASE_IMAGE" not in built["notebook"]["build"]["args"]


def test_two_variants_of_an_image_are_two_images(built: dict[str, Any]) -> None:
    plain, gpu = (inputs for name, inputs in sorted(built.items()) if name.startswith("ml"))
    assert gpu["build"]["args"]["VARIANT"] == "gpu"
    assert "VARIANT" not in plain["build"]["args"]
    assert plain["imageName"] != gpu["imageName"]


def test_every_folder_for_users_has_its_name_and_a_base() -> None:
    folders = {path.parent for path in (ROOT / "images").glob("*/Dockerfile")}
    assert {folder.name for folder in folders} - {"hub", "rclone"} == set(BundledImage)
    with_base = {folder.name for folder in folders if base_of(folder)}
    assert with_base == set(BundledImage) - {BundledImage.notebook}


def test_a_folder_of_ones_own_on_a_bundled_image_needs_no_base(tmp_path: Path) -> None:
    text = "ARG BASE_IMAGE=pulumi-jupyterhub/root\nFROM ${BASE_IMAGE}\n"
    (tmp_path / "Dockerfile").write_text(text)
    assert ImageArgs(build=tmp_path).base_folder == bundled_image("root")
    assert ImageArgs(build=tmp_path, base=tmp_path).base_folder == tmp_path


@pytest.mark.parametrize(("arguments", "count"), [({}, 2), ({"VARIANT": "gpu"}, 0)])
def test_a_published_image_takes_the_place_of_the_same_one(
    arguments: dict[str, str], count: int
) -> None:
    source = {"bundled": "ml", "arguments": arguments}
    hub = JupyterHubHostArgs(images=[{"title": "ML", "source": source}])  # type: ignore[list-item]
    found = dict(pin.settings(hub, "ml", REFERENCE))
    assert len(found) == count
    if count:
        assert found["jupyterhub:hub.images[0].source.bundled"] is None


def test_ci_is_told_which_image_is_built_on_which() -> None:
    command = [sys.executable, "-m", "components.images"]
    environment = {**os.environ, "PULUMI_JUPYTERHUB_CA_BUNDLE": ""}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    bases = json.loads(done.stdout)["bases"]
    assert bases == {image.value: "notebook" for image in BundledImage if image.value in bases}
    assert set(bases) == set(BundledImage) - {BundledImage.notebook}


def test_dockerfiles_are_linted(tmp_path: Path) -> None:
    files = sorted(map(str, (ROOT / "images").glob("*/Dockerfile")))
    program = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([program, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian\nRUN cd /tmp && sudo ls\n")
    done = subprocess.run([program, bad], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0


def test_what_programs_are_sent_to() -> None:
    args = EgressArgs(
        http_proxy="http://anna:secret@10.0.0.7:3128",
        https_proxy="proxy.example.org",
        pip_index_url="https://mirror.example.org/simple",
    )
    assert args.hosts() == ["10.0.0.7:3128", "mirror.example.org:443", "proxy.example.org:80"]
    nowhere = EgressArgs(http_proxy="http://[fd00::7]:3128", pip_index_url="file:///srv/wheels")
    assert nowhere.hosts() == []
