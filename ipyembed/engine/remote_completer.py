"""Completions of a front end, by its engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from ipyembed.engine.link import EngineGoneError

if TYPE_CHECKING:
    from ipyembed.engine.front_end import AttachedShell


class EngineCompleter(Completer):
    """Completions by the engine. Its methods are called on the prompt thread."""

    def __init__(self, shell: AttachedShell) -> None:
        self._shell = shell

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """See `Completer`."""
        return []

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """See `Completer`; the prompt goes on meanwhile."""
        shell, cursor = self._shell, document.cursor_position
        if shell.attachment is None:
            return
        asked = shell.link.request(
            "complete_request", {"code": document.text, "cursor_pos": cursor}
        )
        timeout = shell.attachment.juggler.completion_timeout
        try:
            reply = await asyncio.wait_for(asyncio.wrap_future(asked), timeout)
            start = int(reply["cursor_start"]) - cursor
            matches = [str(match) for match in reply["matches"]]
        except (TimeoutError, EngineGoneError, KeyError, TypeError, ValueError):
            return
        if start > 0 or -start > cursor:
            return
        types = {
            entry.get("text"): entry.get("type") or ""
            for entry in (reply.get("metadata") or {}).get("_jupyter_types_experimental", ())
            if isinstance(entry, dict)
        }
        for match in matches:
            yield Completion(match, start_position=start, display_meta=types.get(match, ""))
