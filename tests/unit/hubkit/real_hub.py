"""A real hub with any kind of login, stopped and started with other settings; and its commands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hubkit.login.passwords import first_password
from hubkit.login.roster import Roster

from tests.client import User
from tests.unit.hubkit.hubs import Hub, settings
from tests.unit.hubkit.test_kubernetes import SECRETS

ALL_SECRETS = SECRETS | {"roster_key": "ef" * 32}
_COMMAND = """
import sys
from pathlib import Path
from hubkit import folders, settings
folder = Path(sys.argv.pop(1))
folders.STATE, folders.HOMES = folder / "state", folder / "homes"
settings.SETTINGS, settings.SECRETS = folder / "settings.json", folder / "secrets.json"
from hubkit import accounts
accounts.main()
"""


class PeoplesHub(Hub):
    """Its folder is kept from one start to the next."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, settings())

    @contextmanager
    def started(self, login: dict[str, Any]) -> Iterator[None]:
        """With this login."""
        told = settings(login=login, culling={"enabled": False}) | {"public_url": self.url}
        (self.folder / "settings.json").write_text(json.dumps(told))
        (self.folder / "secrets.json").write_text(json.dumps(ALL_SECRETS))
        self.tell(told, ALL_SECRETS)
        try:
            self.start()
            yield
        finally:
            self.stop()

    def command(self, *words: str) -> str:
        """What `make roster` runs in the hub's container."""
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, str(self.folder), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def password(self, name: str) -> str:
        """Somebody's first password."""
        count = Roster([], [], self.state).count(name)
        return first_password(ALL_SECRETS["roster_key"], name, count)

    def logged_in(self, name: str, password: str | None = None) -> User:
        """A browser."""
        user = User(self.url, name)
        answer = user.login(password or self.password(name))
        assert answer.status_code == 302, answer.text[-2000:]
        return user

    def is_in(self, user: User) -> bool:
        """Whether the hub knows the browser."""
        home = user.session.get(f"{self.url}/hub/home", allow_redirects=False)
        return home.status_code == 200

    def is_admin(self, user: User) -> bool:
        """Whether the browser sees the admin page."""
        return user.session.get(f"{self.url}/hub/admin").status_code == 200
