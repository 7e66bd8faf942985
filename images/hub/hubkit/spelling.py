"""A user's page by another spelling of its address: `a+b` and `a%40b` for `a%2Bb` and `a@b`.

A Jupyter server, and the proxy's rule for it, know its address as JupyterHub spells it. Any other
spelling comes to the hub, where JupyterHub would send the browser round in circles.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from jupyterhub.handlers.base import BaseHandler, UserUrlHandler
from jupyterhub.utils import url_escape_path

from . import names


def respelled(uri: str, base: str) -> str:
    """The address with the names of user and server as JupyterHub spells them.

    Args:
        base: path of the hub's pages, `/hub/`.
    """
    path, mark, query = uri.partition("?")
    start = f"{base}user/"
    if not path.startswith(start):
        return uri
    parts = path.removeprefix(start).split("/")
    parts[:2] = [_respelled(part) for part in parts[:2]]
    return start + "/".join(parts) + mark + query


def _respelled(part: str) -> str:
    meant = unquote(part)
    return str(url_escape_path(meant)) if names.ROUTE_PART.match(meant) else part


def mend() -> None:
    """Lets JupyterHub's own page of a user be asked by the right address.

    A handler of ours would come after JupyterHub's, so its own is changed.
    """
    stock = BaseHandler.prepare

    def prepare(self: Any) -> Any:
        self.request.uri = respelled(self.request.uri, self.hub.base_url)
        return stock(self)

    UserUrlHandler.prepare = prepare
