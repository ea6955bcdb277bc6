"""Completions, computed on the eval thread, where the user's objects live.

Completing calls the user's `__getattr__`, `__dir__` and properties. Off the thread that owns the
objects this has crashed real programs (ipython#10899, ipython#10315), so by default it happens on
the eval thread, between whatever else that does while it waits. An answer that is late is dropped,
so a busy eval thread costs the menu and never the prompt.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

if TYPE_CHECKING:
    from ipyembed.juggler import LoopJuggler


class EvalThreadCompleter(Completer):
    """Asks another completer, on the thread that `LoopJuggler.completion_thread` names.

    Its methods are called on the prompt thread.
    """

    def __init__(self, completer: Completer, juggler: LoopJuggler) -> None:
        self._completer = completer
        self._juggler = juggler

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """See `Completer`; blocks the prompt, for `completion_timeout` at most."""
        if self._juggler.completion_thread == "prompt":
            return self._completer.get_completions(document, complete_event)
        try:
            return self._asked(document, complete_event).result(self._juggler.completion_timeout)
        except TimeoutError:
            return []

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """See `Completer`; the prompt goes on meanwhile."""
        if self._juggler.completion_thread == "prompt":
            for completion in self._completer.get_completions(document, complete_event):
                yield completion
            return
        asked = asyncio.wrap_future(self._asked(document, complete_event))
        try:
            completions = await asyncio.wait_for(asked, self._juggler.completion_timeout)
        except TimeoutError:
            return
        for completion in completions:
            yield completion

    def _asked(self, document: Document, complete_event: CompleteEvent) -> Future[list[Completion]]:
        # IPython's completer patches stdout above the prompt of the current AppSession, which is
        # a context variable of the prompt thread.
        context = contextvars.copy_context()
        return self._juggler.complete_in_eval_thread(
            lambda: context.run(
                lambda: list(self._completer.get_completions(document, complete_event))
            )
        )
