"""Who is on the terminal: the question that is up, and those to whom it has stepped aside.

Goal: while a prompt is up, anybody else in the process may need the terminal: ``input()`` on
another thread, a debugger in a GUI callback, a task that reads `sys.stdin`. The prompt then steps
aside, keeps what has been typed, and comes back afterwards.

A loan is a level above the question that stepped aside, or above the bottom if nothing was up. The
borrower may ask a question of its own on its level, and that can step aside in its turn: for
another thread, or for a callback that the borrower itself runs while it waits for the answer.

==============================  ==================================================
the top level                   somebody wants to borrow
==============================  ==================================================
has a question on the screen    the question steps aside, a level comes on top
has one that is answered, and   a level comes on top
held
is the bottom, nothing is up    a level comes on top; questions wait at the bottom
is lent to the same thread      it has the terminal already
is lent to another thread       waits until that has given it back
==============================  ==================================================

Levels are added and taken away on the prompt thread only; the tuple of them is replaced, never
changed, so any thread may look at it.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from prompt_toolkit.application import get_app_or_none, get_app_session, in_terminal
from prompt_toolkit.renderer import CPR_Support

from ipyembed.aside import (
    borrower_asks,
    can_step_aside,
    take_typeahead,
    until_settled,
    waits_for_cpr,
)
from ipyembed.modes import use_found_modes

if TYPE_CHECKING:
    from prompt_toolkit.application import Application

    from ipyembed.prompt_thread import Question

SETTLING = 0.005
"""Seconds between two looks at a question that is just coming up or going away."""
LOOKS = 20
"""After so many, a question is held by somebody: most likely by the very thread that wants to
borrow, because that has to take SIGINT before the answer of a prompt is done (`handover`)."""


class Level:
    """Where questions are asked, one at a time."""

    def __init__(self, thread: threading.Thread | None = None) -> None:
        self.turn = asyncio.Lock()
        self.thread = thread
        """Who has borrowed the terminal; None at the bottom."""
        self.question: Question[Any] | None = None
        self.context: contextvars.Context | None = None
        """That of the question, in which its application is current."""
        self._is_over = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_wanted_back = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.below: Level | None = None
        """The level whose question has stepped aside for this one."""

    def lent_in_prompt_thread(self) -> None:
        """The loan begins."""
        self._loop = asyncio.get_running_loop()

    def give_back_threadsafe(self) -> None:
        """The borrower needs the terminal no more; from its thread."""
        self._is_over = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the prompt thread has ended meanwhile
                self._loop.call_soon_threadsafe(self.is_wanted_back.set)

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be asked here any more; from any thread."""
        return self._is_over or self.is_wanted_back.is_set()

    @contextmanager
    def showing(self, question: Question[Any]) -> Iterator[None]:
        """While `question` is asked here. In the context in which its application is current."""
        self.question, self.context = question, contextvars.copy_context()
        try:
            yield
        finally:
            self.question = self.context = None

    def on_screen(self) -> tuple[Application[Any], contextvars.Context] | None:
        """The question's application, if it can step aside now, and its context."""
        if self.context is None:
            return None
        app = self.context.run(get_app_or_none)
        if app is None or not app.is_running or app.is_done:
            return None
        return app, self.context

    @property
    def waits_for_terminal(self) -> bool:
        """Whether the question is answered, but the terminal has to tell something first."""
        app = self.context.run(get_app_or_none) if self.context is not None else None
        return app is not None and waits_for_cpr(app)


class Stage:
    """The levels, bottom first. But for the properties, everything runs on the prompt thread."""

    def __init__(self) -> None:
        self._levels: tuple[Level, ...] = (Level(),)

    @property
    def is_lent(self) -> bool:
        """Whether somebody has borrowed the terminal; from any thread."""
        return len(self._levels) > 1

    @property
    def level_of_this_thread(self) -> Level:
        """Where the current thread's questions are asked; from any thread."""
        thread = threading.current_thread()
        levels = self._levels
        for level in reversed(levels):
            if level.thread is thread and not level.is_over:
                return level
        return levels[0]

    async def lend(
        self, thread: threading.Thread, lent: Future[Level | None], asks: bool = False
    ) -> None:
        """Lend the terminal to `thread`, until its level is wanted back. `asks`: to ask there.

        Sets `lent` to the level, or to None if the thread has the terminal already.
        """
        looks = 0
        while True:
            top = self._levels[-1]
            if top.is_wanted_back.is_set():
                await top.has_ended.wait()
                continue
            if (shown := top.on_screen()) is not None:
                app, context = shown
                aside = self._step_aside(app, top, thread, lent, asks)
                if await asyncio.create_task(aside, context=context):
                    return
                continue
            if not top.turn.locked() and top.thread is not None:
                if top.thread is thread:
                    _hand_over(lent, None)
                    return
                await top.has_ended.wait()
                continue
            try:
                async with asyncio.timeout(SETTLING):
                    await top.turn.acquire()
            except TimeoutError:
                looks += not top.waits_for_terminal
                if looks > LOOKS and top.context is not None:
                    over = self._lend_over(top, thread, lent, asks)
                    await asyncio.create_task(over, context=top.context)
                    return
                continue
            try:
                if top is self._levels[-1]:
                    await self._lent(Level(thread), lent)
                    return
            finally:
                top.turn.release()

    async def _step_aside(
        self,
        app: Application[Any],
        top: Level,
        thread: threading.Thread,
        lent: Future[Level | None],
        asks: bool,
    ) -> bool:
        """Returns whether it could; if not, it has been answered, or has stepped aside already."""
        borrower_asks.set(asks)
        while True:  # looked at anew after each turn of the loop
            if not app.is_running or app.is_done or top is not self._levels[-1]:
                return False
            if can_step_aside(app):
                break
            await until_settled(app)
        async with in_terminal():  # waits for nothing now
            if not asks:
                use_found_modes()
            level = Level(thread)
            level.below = top
            await self._lent(level, lent)
            if not app.is_running:
                # Withdrawn meanwhile: nobody would read the answer to "where is the cursor?".
                app.renderer.cpr_support = CPR_Support.NOT_SUPPORTED
        take_typeahead(app)
        return True

    async def _lend_over(
        self, top: Level, thread: threading.Thread, lent: Future[Level | None], asks: bool
    ) -> None:
        borrower_asks.set(asks)
        terminal = get_app_session().input
        with terminal.detach(), terminal.cooked_mode():
            if not asks:
                use_found_modes()
            level = Level(thread)
            level.below = top
            await self._lent(level, lent)

    async def _lent(self, level: Level, lent: Future[Level | None]) -> None:
        self._levels = (*self._levels, level)
        level.lent_in_prompt_thread()
        try:
            if _hand_over(lent, level):
                await level.is_wanted_back.wait()
                async with level.turn:  # a question that was asked here is gone
                    pass
        finally:
            level.is_wanted_back.set()
            self._levels = tuple(other for other in self._levels if other is not level)
            level.has_ended.set()

    def recall_above(self, level: Level) -> None:
        """The question on `level` is withdrawn: what it has stepped aside for ends before it."""
        for above in self._levels:
            if above.below is level and not above.is_wanted_back.is_set():
                if above.question is not None:
                    above.question.withdraw_in_prompt_thread()
                self.recall_above(above)
                above.is_wanted_back.set()


def _hand_over(lent: Future[Level | None], level: Level | None) -> bool:
    """Returns whether the borrower is still there."""
    if not lent.set_running_or_notify_cancel():
        return False
    lent.set_result(level)
    return True
