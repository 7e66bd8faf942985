"""The preview report and CI's deployment on a hub that runs on this machine's engine."""

from __future__ import annotations

import os
import subprocess

import requests

from tests.checkout import Checkout


def test_a_replaced_volume_is_red_protected_or_not(class_hub: Checkout) -> None:
    before = class_hub.file.read_text()
    elsewhere = {"volume": "another-volume"}
    try:
        class_hub.configure(volumes={"homes": elsewhere})
        protected = class_hub.make("preview", check=False)
        class_hub.configure(volumes={"homes": elsewhere | {"protect": False}})
        class_hub.pulumi("state", "unprotect", "--all", "--yes", "--stack", class_hub.stack)
        unprotected = class_hub.make("preview", check=False)
        approved = class_hub.make("preview", "REPLACE_OK=homes")
    finally:
        class_hub.file.write_text(before)
        class_hub.make("up")  # protected again
    for report in (protected, unprotected):
        assert "⛔ **Data would be lost.** Volume `homes` is replaced because of `name`" in report
        assert "Data would be lost, see above. On purpose: make preview REPLACE_OK=" in report
    assert "It is protected, so the update would refuse" in protected
    assert "The preview failed" not in unprotected
    assert "⚠️ Approved by `replace-ok: homes`" in approved


def test_a_deployment_by_ci_is_the_gate_and_make_up(class_hub: Checkout) -> None:
    before = class_hub.file.read_text()
    shown = class_hub.make("env")
    values = dict(line[7:].split("=", 1) for line in shown.splitlines() if "=" in line)
    known = {name: values[name].strip("'") for name in values if name.startswith("PULUMI_")}
    class_hub.configure(hub=class_hub_with(class_hub, title="Deployed by CI"))
    try:
        done = subprocess.run(
            ["make", "ci", "WHAT=up"],
            cwd=class_hub.root,
            env=class_hub.environment | known | {"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert "1 to replace" in done.stdout  # the report comes first
        assert done.stdout.index("1 to replace") < done.stdout.index("pulumi up")
        page = requests.get(f"{class_hub.url}/hub/login", timeout=10).text
        assert "Deployed by CI" in page
    finally:
        class_hub.file.write_text(before)
        class_hub.make("up")


def class_hub_with(hub: Checkout, **values: object) -> dict[str, object]:
    """The stack's section `hub` with other values in it."""
    import yaml

    section = yaml.safe_load(hub.file.read_text())["config"]["jupyterhub:hub"]
    return dict(section) | values
