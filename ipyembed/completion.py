"""Completions, computed on the eval thread, where the user's objects live.

Completing calls the user's `__getattr__`, `__dir__` and properties. Off the thread that owns the
objects this has crashed real programs (ipython#10899, ipython#10315), so by default it happens on
the eval thread, between whatever else that does while it waits. An answer that is late is dropped,
so a busy eval thread costs the menu and never the prompt.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import aclosing, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from IPython.core.completer import cursor_to_position
from IPython.terminal.ptutils import IPythonPTCompleter
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import (
    Condition,
    emacs_insert_mode,
    has_focus,
    has_selection,
    vi_insert_mode,
)
from prompt_toolkit.key_binding import (
    KeyBindings,
    KeyBindingsBase,
    KeyPressEvent,
    merge_key_bindings,
)
from prompt_toolkit.key_binding.bindings.completion import display_completions_like_readline
from prompt_toolkit.shortcuts import CompleteStyle

from ipyembed.silenced import provisional_completions
from ipyembed.watchdog import describe_frame

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

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
        """See `Completer`; blocks the prompt, for `completion_timeout` at most.

        For key bindings of the user's that ask this way; the prompt's own do not.
        """
        if self._juggler.completion_thread == "prompt":
            return self._completions(document, complete_event)
        asked = self._asked(document, complete_event)
        try:
            return asked.result(self._juggler.completion_timeout)
        except TimeoutError:
            asked.cancel()
            self._juggler.give_up_completion()
            return []

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """See `Completer`; the prompt goes on meanwhile."""
        if self._juggler.completion_thread == "prompt":
            for completion in self._completions(document, complete_event):
                yield completion
            return
        asked = asyncio.wrap_future(self._asked(document, complete_event))
        await self._wait_until_of_use(asked)
        for completion in asked.result() if not asked.cancelled() else ():
            yield completion

    async def _wait_until_of_use(self, asked: asyncio.Future[list[Completion]]) -> None:
        """Wait for the answer; cancel it if it is late.

        prompt_toolkit asks for one answer at a time: it shall not have to wait for one to a
        question that is not asked any more, because the text is another.
        """
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def text_changed(_: object) -> None:
            if not changed.done():
                changed.set_result(None)

        text_changes = get_app().current_buffer.on_text_changed
        text_changes += text_changed
        try:
            either: set[asyncio.Future[Any]] = {asked, changed}
            patience = self._juggler.completion_timeout
            await asyncio.wait(either, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            text_changes -= text_changed
            if not asked.done():
                asked.cancel()
                self._juggler.give_up_completion()

    def _asked(self, document: Document, complete_event: CompleteEvent) -> Future[list[Completion]]:
        # A completer that is not IPython's may look for the prompt's application, which is in a
        # context variable of the prompt thread.
        context = contextvars.copy_context()

        def complete() -> list[Completion]:
            juggler = self._juggler
            try:
                with (
                    juggler.interrupts.of_a_call(juggler.call_in_eval_thread),
                    _interrupt_said_in_short(),
                ):
                    return context.run(self._completions, document, complete_event)
            except KeyboardInterrupt as error:  # before IPython's completer, or in another one
                _say_in_short(error.__traceback__)
                return []

        return self._juggler.complete_in_eval_thread(complete)

    def _completions(self, document: Document, complete_event: CompleteEvent) -> list[Completion]:
        completer: Any = self._completer
        # IPython 9.0 to 9.18: private. Around it, IPython puts a proxy of prompt_toolkit's in the
        # place of sys.stdout, in all threads: what is printed meanwhile is written into the midst
        # of the prompt, because that proxy does not find a prompt in another thread.
        private = getattr(completer, "_get_completions", None)
        if not isinstance(completer, IPythonPTCompleter) or private is None:
            return list(completer.get_completions(document, complete_event))
        if not document.current_line.strip():
            return []
        text, cursor = document.text, document.cursor_position
        offset = cursor_to_position(
            text, document.cursor_position_row, document.cursor_position_col
        )
        provisional_completions.renew()
        return list(private(text, offset, cursor, completer.ipy_completer))


@contextmanager
def _interrupt_said_in_short() -> Iterator[None]:
    """While the eval thread completes: an interrupt of it is one line, not a long traceback.

    IPython (9.0 to 9.18) calls `sys.excepthook` with whatever one of its completers raises, and
    goes on with the next.
    """
    hook = sys.excepthook

    def report(kind: type[BaseException], error: BaseException, tb: TracebackType | None) -> None:
        if not isinstance(error, KeyboardInterrupt):
            hook(kind, error, tb)
            return
        _say_in_short(tb)

    sys.excepthook = report
    try:
        yield
    finally:
        if sys.excepthook is report:
            sys.excepthook = hook


def _say_in_short(tb: TracebackType | None) -> None:
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    place = describe_frame(tb.tb_frame if tb is not None else None)
    print(f"ipyembed: KeyboardInterrupt in a completion, in {place}", file=sys.stderr)


class _Ready(Completer):
    """Has its completions already."""

    def __init__(self, completions: list[Completion]) -> None:
        self._completions = completions

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        return self._completions


def bindings_that_wait(session: PromptSession[str]) -> KeyBindingsBase:
    """The key bindings of the session's application, where completions may take their time.

    Those of prompt_toolkit and IPython expect them at once.
    """
    bindings = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER) & ~has_selection & (emacs_insert_mode | vi_insert_mode)

    @Condition
    def is_pending() -> bool:
        state = session.default_buffer.complete_state
        return state is not None and not state.completions

    # IPython's Enter closes the menu if there is one. One that has not come yet shall eat no Enter.
    @bindings.add("enter", filter=typing & is_pending)
    def _enter(event: KeyPressEvent) -> None:
        event.current_buffer.cancel_completion()
        event.key_processor.feed(event.key_sequence[0], first=True)

    @Condition
    def is_like_readline() -> bool:
        before = session.default_buffer.document.current_line_before_cursor
        return session.complete_style == CompleteStyle.READLINE_LIKE and bool(before.strip())

    # prompt_toolkit's asks the completer synchronously, which would block the prompt.
    @bindings.add("tab", filter=typing & is_like_readline)
    async def _complete_like_readline(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        document, completer = buffer.document, buffer.completer
        asked = CompleteEvent(completion_requested=True)
        async with aclosing(completer.get_completions_async(document, asked)) as completions:
            ready = [completion async for completion in completions]
        if buffer.document != document:  # late
            return
        buffer.completer = _Ready(ready)
        try:
            display_completions_like_readline(event)
        finally:
            buffer.completer = completer

    return merge_key_bindings([session.app.key_bindings or KeyBindings(), bindings])
