"""Who runs a hub from a checkout of before takes this version over with `git pull`."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.checkout import Checkout
from tests.engine.test_ci import git


def test_the_hubs_secrets_survive_a_pull(tmp_path: Path) -> None:
    """Before, the stack file was tracked, and its owner's secrets were an edit of it."""
    owner = Checkout(tmp_path, "tpull", 12, {}, seeded=False)
    upstream = tmp_path / "upstream"
    template, tracked = "stacks/catalogue/tpull.yaml", "stacks/Pulumi.tpull.yaml"
    git(owner.root, "init", "-q", "-b", "main")
    git(owner.root, "add", "-A")
    git(owner.root, "add", "-f", tracked)
    git(owner.root, "commit", "-qm", "before")
    git(tmp_path, "clone", "-q", str(owner.root), str(upstream))
    owner.make("setup")
    before = owner.secrets()
    assert "encryptionsalt" in owner.file.read_text()

    git(upstream, "mv", tracked, template)
    git(upstream, "commit", "-qm", "templates")
    git(owner.root, "remote", "add", "origin", str(upstream))
    git(owner.root, "stash", "-q")
    git(owner.root, "pull", "-q", "origin", "main")
    git(owner.root, "stash", "pop", "-q")
    assert not owner.file.exists()

    owner.make("setup")
    assert Checkout.secrets.__wrapped__(owner) == before  # type: ignore[attr-defined]
    assert set(yaml.safe_load((owner.root / template).read_text())) == {"config"}
    assert git(owner.root, "diff", "HEAD", "--stat") == ""
    assert git(owner.root, "status", "--porcelain") == ""
