"""The cells of an engine's history, for the up key of a front end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Any

from prompt_toolkit.history import History

from ipyembed.engine.link import Link

ENTRIES = 1000
"""How many are asked for."""


class RemoteHistory(History):
    """Found as soon as the engine answers; a busy one does so when it comes round."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._cells: Future[list[str]] = Future()
        asked = {"hist_access_type": "tail", "n": ENTRIES, "raw": True, "output": False}
        link.request("history_request", asked).add_done_callback(self._replied)

    def _replied(self, reply: Future[dict[str, Any]]) -> None:
        """On the link's thread."""
        try:
            cells = [
                cell if isinstance(cell, str) else cell[0]
                for _, _, cell in reply.result()["history"]
            ]
        except (OSError, KeyError, TypeError, ValueError, IndexError):  # gone, or has none
            cells = []
        self._cells.set_result(cells)

    def wait(self, timeout: float) -> None:
        """Wait for it, `timeout` seconds at most."""
        wait_for([self._cells], timeout)

    async def load(self) -> AsyncGenerator[str, None]:
        """See `History`: the newest first. Prompt thread."""
        entered = list(self._loaded_strings)
        for cell in entered:
            yield cell
        if self._loaded:
            return
        if not self._cells.done():
            # The prompt gives up at each Enter, and waits again; the reply is kept meanwhile.
            await asyncio.shield(asyncio.wrap_future(self._cells))
        before = [cell for cell in reversed(self._cells.result()) if cell not in entered]
        self._loaded = True
        self._loaded_strings.extend(before)
        for cell in before:
            yield cell

    def load_history_strings(self) -> Iterable[str]:
        """See `History`; it is `load` that is called."""
        return ()

    def store_string(self, string: str) -> None:
        """See `History`: the engine keeps it."""
