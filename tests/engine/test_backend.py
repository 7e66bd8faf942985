"""The state of a stack moves to where colleagues and CI reach it."""

from __future__ import annotations

from pathlib import Path

from tests.engine.clouds import CloudStack


def test_a_state_moves_and_is_found_there(tmp_path: Path) -> None:
    stack = CloudStack(tmp_path / "stack", "openstack", 24)
    with stack.host.listening():
        stack.make("setup")
        stack.up()
        disk = stack.id_of("Volume")
        refused = stack.make("backend", check=False)
        assert "make backend STACK=topenstack URL=s3://my-bucket" in refused
        away = tmp_path / "shared"
        away.mkdir()
        printed = stack.make("backend", f"URL=file://{away}")
        del stack.shell  # the state is elsewhere now
        assert "resources; the old copy stays where it was" in printed
        assert (stack.root / "stacks/backend.topenstack").read_text() == f"file://{away}\n"
        assert list(away.rglob("topenstack.json"))
        assert stack.id_of("Volume") == disk
        assert stack.changes() == {}
