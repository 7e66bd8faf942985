"""Homes are apart, and what is shared can't be changed by others."""

from __future__ import annotations

from pathlib import Path

from tests.checkout import ENGINE, Checkout
from tests.client import User


def homes(hub: Checkout) -> Path:
    return Path(ENGINE.volumes.get(f"{hub.deployment}-homes").attrs["Mountpoint"])


def test_a_home_is_its_users(hub: Checkout, anna: User, ben: User) -> None:
    anna.run("open('private', 'w').write('x')")
    (private,) = homes(hub).glob("anna/private")
    assert ben.run("import os; print(os.path.lexists('private'))") == "False"
    # Neither by where the host keeps it, nor by a link there, nor by the roots of processes.
    ben.run(f"os.symlink({str(private)!r}, 'way')")
    look = "import glob, os; print(os.path.exists({!r}), glob.glob('/proc/[0-9]*/root{}'))"
    assert ben.run(look.format("way", private)) == "False []"
    assert ben.get("api/contents/way").status_code == 404
    assert private.parent.stat().st_mode & 0o777 == 0o700


def test_what_is_shared_can_be_read_and_no_more(anna: User, ben: User) -> None:
    anna.run("open('shared/anna/notes', 'w').write('for all')")
    assert ben.run("print(open('shared/anna/notes').read())") == "for all"
    for attempt in (
        "open('shared/anna/notes', 'w')",
        "os.unlink('shared/anna/notes')",
        "os.chmod('shared/anna/notes', 0o666)",
        "open('shared/mine', 'w')",
        "os.rename('shared/anna', 'shared/ben/anna')",
        "os.symlink('/etc/passwd', 'shared/anna/link')",
    ):
        refused = ben.run(f"import os; {attempt}")
        assert "Read-only" in refused or "Invalid cross-device link" in refused, attempt
    # A second name, in one's own folder, by which it could be written. All have one uid.
    link = "import os; os.link('shared/anna/notes', 'shared/ben/notes')"
    assert "Invalid cross-device link" in ben.run(link)


def test_a_link_shows_what_the_reader_has(anna: User, ben: User) -> None:
    """Somebody's link leads to the files of who follows it, so it gives nothing away."""
    anna.run("open('diary', 'w').write('x')")
    anna.run("import os; os.symlink('/home/jovyan/diary', 'shared/anna/diary')")
    assert "No such file" in ben.run("open('shared/anna/diary')")
