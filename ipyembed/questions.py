"""Asking for a line on the prompt thread, from any thread: for ``input()`` and the debugger.

While the question is up the prompt has stepped aside. If the thread that asks is a shell's eval
thread, it waits as it waits for a cell: the juggler turns the toolkit's loop, and the asyncio loop
that the policies say. Any other thread blocks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

from ipyembed.lent import terminal_lent
from ipyembed.prompt_thread import Question, prompt_thread
from ipyembed.slot import slot

if TYPE_CHECKING:
    from ipyembed.attachment import Attachment

T = TypeVar("T")


def open_attachment() -> Attachment | None:
    """The innermost open shell, if its prompt_toolkit may be used by the calling thread."""
    opened = slot.innermost
    attachment = opened.attachment if opened is not None else None
    if (
        attachment is None
        or attachment.terminal.is_plain
        or not prompt_thread.is_held
        or threading.current_thread() is prompt_thread.thread
    ):
        return None
    return attachment


def ask_and_wait(
    asking: Callable[[], AbstractContextManager[Question[T]]],
    wait: Callable[[Question[T]], T],
) -> T:
    """Borrow the terminal, ask, wait for the answer by `wait`, give the terminal back.

    Raises what the question ends with: EOFError, KeyboardInterrupt; and NoShellOpenError when
    the last shell has been closed.
    """
    while True:
        with terminal_lent(asks=True), asking() as question:
            try:
                return wait(question)
            except asyncio.CancelledError:
                if not question.answer.done():
                    raise  # whoever waits is cancelled
                # It was taken back with the prompt that had stepped aside: ask once more.


def waiter_of_this_thread(attachment: Attachment) -> Callable[[Question[T]], T]:
    """How the calling thread waits for an answer."""
    for opened in slot.open_shells:
        there = opened.attachment
        if there is not None and there.eval_thread is threading.current_thread():
            juggler = there.juggler
            juggler.look_for_gui()
            return lambda question: juggler.wait_apart(question.answer)
    return lambda question: question.answer.result()
