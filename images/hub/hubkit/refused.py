"""A server that doesn't start, and why, as JupyterHub shows it."""

from __future__ import annotations

from tornado import web


def refused(reason: str) -> web.HTTPError:
    """JupyterHub shows `jupyterhub_message` on the page."""
    error = web.HTTPError(503, reason)
    setattr(error, "jupyterhub_message", reason)  # noqa: B010  # tornado's class doesn't know it
    return error
