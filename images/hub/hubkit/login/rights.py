"""Who is an admin: the stack file says it, or the login's provider, and nobody else.

JupyterHub only ever adds admins, and keeps them in its database for good.
"""

from __future__ import annotations

from typing import Any

from jupyterhub import orm, roles
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.apihandlers.users import UserAPIHandler, UserListAPIHandler
from sqlalchemy.orm import object_session
from tornado import web

ELSEWHERE = (
    "Who is an admin is said in the stack file: jupyterhub:hub.admins, then make up; or by the "
    "login's provider. It can't be changed here."
)


def take_back(user: orm.User) -> None:
    """Somebody who was an admin is none."""
    user.admin = False
    roles.assign_default_roles(object_session(user), entity=user)


def keep_to_the_stack_file() -> None:
    """Lets JupyterHub's admin page make no admins, which the next start would take back."""
    for handler in (UserAPIHandler, UserListAPIHandler):
        handler._check_user_model = _check


def _check(handler: Any, model: Any) -> None:
    APIHandler._check_user_model(handler, model)
    if "admin" not in model:
        return
    for name in handler.path_args or handler.get_json_body()["usernames"]:
        user = handler.find_user(name)
        named = name in handler.authenticator.admin_users
        changes = bool(model["admin"]) != user.admin if user else model["admin"] and not named
        if changes:
            raise web.HTTPError(400, ELSEWHERE)
