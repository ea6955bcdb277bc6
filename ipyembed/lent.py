"""Borrowing the terminal: what is on it steps aside for a while, and comes back.

`terminal_lent()` is for whoever needs the terminal as a program has it without a shell: modes for
lines, the real streams and descriptors. Whoever asks a question of ours on the prompt thread (see
`prompt_thread`) while another one is up borrows the terminal first, and then asks.

What catches the output of others while a prompt is up (`output`) says so by `stepping_aside()`, and
is told to step aside, too: what it has caught until then is on the screen before the borrower has
the terminal; what is written meanwhile goes to the terminal itself, as while a cell runs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager, suppress
from typing import Protocol

from ipyembed.prompt_thread import NoShellOpenError, prompt_thread
from ipyembed.stage import Level

COMING_BACK = 0.2
"""Seconds that a borrower waits, at most, for the prompt to come back."""


class Catcher(Protocol):
    """What catches others' output while a prompt is up. Called on the borrower's thread."""

    def drain(self) -> None:
        """Return when what has been written until now is on the screen, or as good as."""

    def let_through(self) -> None:
        """From now on, what is written goes to the terminal; nothing is on the screen."""

    def catch_again(self) -> None:
        """As before `let_through()`. The prompt comes back after this."""


# Guards both lists: catchers come and go on eval threads, borrowers on any.
_lock = threading.Lock()
_catching: list[Catcher] = []
_aside: list[Catcher] = []


@contextmanager
def stepping_aside(catcher: Catcher) -> Iterator[None]:
    """For the time of the block, `catcher` steps aside when the terminal is lent.

    If the block ends while it is aside, it is not called again: it has nothing to catch any more.
    """
    with _lock:
        _catching.append(catcher)
    try:
        yield
    finally:
        with _lock:
            _catching.remove(catcher)
            if catcher in _aside:
                _aside.remove(catcher)


@contextmanager
def terminal_lent(asks: bool = False) -> Iterator[None]:
    """For the time of the block, the terminal is the calling thread's. Blocks until it is.

    `asks`: only to ask questions of ours there; the descriptors need not be the terminal itself.

    May be nested. Waits for another thread that has borrowed it. Where no shell is open, and on the
    prompt thread, nothing happens. A prompt that is withdrawn meanwhile, as when the host cancels
    an awaited shell, does not disturb the borrower; but no prompt comes back then.
    """
    if not prompt_thread.is_held or threading.current_thread() is prompt_thread.thread:
        yield
        return
    _drain()
    lent: Future[Level | None] = Future()
    try:
        question = prompt_thread.lend(lent, asks)
    except NoShellOpenError:  # it has just been closed
        yield
        return
    question.answer.add_done_callback(lambda _: lent.cancel())  # the prompt thread has ended
    level: Level | None = None
    try:
        with suppress(CancelledError):
            level = lent.result()
        with _catchers_aside():
            yield
    finally:
        lent.cancel()
        if level is not None:
            level.give_back_threadsafe()
            # What the borrower prints next shall not come in two parts, one before the prompt is
            # back and one after.
            with suppress(TimeoutError, CancelledError):
                question.answer.exception(COMING_BACK)
        else:
            question.withdraw_threadsafe()


def _drain() -> None:
    with _lock:
        catching = [catcher for catcher in _catching if catcher not in _aside]
    for catcher in catching:
        catcher.drain()


@contextmanager
def _catchers_aside() -> Iterator[None]:
    with ExitStack() as stack:
        with _lock:
            # Innermost first: it has what the one outside of it let through, or caught.
            for catcher in reversed(_catching):
                if catcher not in _aside:
                    _aside.append(catcher)
                    stack.callback(_catch_again, catcher)
                    catcher.let_through()
        yield


def _catch_again(catcher: Catcher) -> None:
    with _lock:
        if catcher in _aside:
            _aside.remove(catcher)
            catcher.catch_again()
