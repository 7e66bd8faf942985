"""Several people in one notebook: jupyter-collaboration, which also saves when the server stops.

By itself it saves a second after the last change, and forgets that second when it is stopped.
"""

from __future__ import annotations

import asyncio

from jupyter_server_ydoc.app import YDocExtension
from jupyter_server_ydoc.rooms import DocumentRoom


class Together(YDocExtension):
    """jupyter-collaboration's server extension."""

    async def stop_extension(self) -> None:
        """Writes what isn't in the files yet, then stops."""
        rooms = self.ywebsocket_server.rooms.values()
        unsaved = [r for r in rooms if isinstance(r, DocumentRoom) and r._document.dirty]
        await asyncio.gather(*(room._maybe_save_document(None, save_now=True) for room in unsaved))
        await super().stop_extension()


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    return [{"module": "together", "app": Together}]
