"""What admins may do."""

from __future__ import annotations

from typing import Any

from jupyterhub import roles

# What lets an admin be somebody else: open their servers, make tokens in their name.
_BEING_OTHERS = {"access:servers", "tokens", "shares"}


def close_servers() -> None:
    """Takes from the role `admin` what would open other people's servers.

    JupyterHub refuses any configuration of that role, so its default is changed.
    """
    stock = roles.get_default_roles

    def without() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = stock()
        for role in found:
            if role["name"] == "admin":
                role["scopes"] = [each for each in role["scopes"] if each not in _BEING_OTHERS]
        return found

    roles.get_default_roles = without
