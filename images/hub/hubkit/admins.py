"""What admins may do: nothing that makes them somebody else, or parts somebody from their files."""

from __future__ import annotations

from typing import Any

from jupyterhub import roles, scopes
from jupyterhub.apihandlers.users import UserAPIHandler
from jupyterhub.scopes import needs_scope
from tornado import web

# What the admin page needs. Not in it is what would make an admin anybody (`tokens`, `shares`,
# `access:servers`), put a page of their own on the hub's address (`admin:services`, `proxy`), show
# where servers are (`admin:server_state`), or end the hub for all (`shutdown`).
SCOPES = ("admin-ui", "admin:users", "admin:groups", "servers", "access:services")
OPENS_SERVERS = "access:servers"


def limit(admin_access: bool) -> None:
    """Makes this the role `admin`, and what its holders may change of users.

    JupyterHub refuses any configuration of that role, so its default is changed; and a handler of
    ours would come after JupyterHub's own.

    Args:
        admin_access: they may open other people's servers.
    """
    allowed = [*SCOPES, *([OPENS_SERVERS] if admin_access else [])]
    stock = roles.get_default_roles

    def ours() -> list[dict[str, Any]]:
        return [role | {"scopes": allowed} if role["name"] == "admin" else role for role in stock()]

    roles.get_default_roles = ours
    close_auth_state()
    UserAPIHandler.patch = patch


def close_auth_state() -> None:
    """Takes what a login's provider has given, tokens too, out of the rights over users."""
    users = scopes.scope_definitions["admin:users"]
    users["subscopes"] = [each for each in users["subscopes"] if each != "admin:auth_state"]


@needs_scope("admin:users")  # type: ignore[misc]
async def patch(self: UserAPIHandler, user_name: str) -> None:
    """JupyterHub's own would rename a user, who then had neither home nor password; and it reads
    and writes what the login's provider has given."""
    user = self.find_user(user_name)
    if user is None:
        raise web.HTTPError(404)
    asked = self.get_json_body()
    self._check_user_model(asked)
    if asked.pop("name", user.name) != user.name:
        raise web.HTTPError(
            400,
            f"{user.name} can't be renamed: home, password and server would stay behind. Add the "
            "new name, and move the files.",
        )
    if more := asked.keys() - {"admin"}:  # which login/rights.py has looked at
        raise web.HTTPError(400, f"This can't be changed here: {', '.join(sorted(more))}.")
    self.write(self.user_model(user))
