"""Around a prompt: SIGINT and Ctrl-C go from the shell to the host and back without a gap.

While the prompt has the terminal, Ctrl-C is a key, so SIGINT is the host's, as if no shell were
there. As soon as the terminal is out of raw mode, Ctrl-C is SIGINT. If the host had that for but a
moment before the cell begins, a Ctrl-C of then would end the host. So the terminal is raw from
before the eval thread gives SIGINT to the host until after it has taken it back.

Nobody can tell a Ctrl-C that was typed just before the terminal became raw from a SIGINT that has
come from outside since, until the eval thread has given SIGINT back: what it had to hear by then,
it has heard. So that is waited for, before the prompt is painted. An eval thread that is stuck is
not waited for longer than any Ctrl-C takes to be heard: what comes after that is the host's.

The eval thread may be stuck when the prompt is answered. Then it takes SIGINT late, and the prompt
keeps the terminal so long: Ctrl-C stays a key, and can free that thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent, merge_key_bindings
from prompt_toolkit.key_binding.key_bindings import KeyBindingsBase
from prompt_toolkit.keys import Keys

from ipyembed.attributes import attribute_replaced
from ipyembed.cooked import interrupts_are_keys
from ipyembed.interrupts import CellInterrupts
from ipyembed.loops import when_done
from ipyembed.watchdog import Watch

SOON = 0.02
"""Seconds in which an eval thread that is not stuck has taken SIGINT."""
LATE = 0.1
"""Seconds after which the prompt comes up although the eval thread has not given SIGINT back."""


class Handover:
    """Who has SIGINT around one prompt."""

    def __init__(
        self, call: Callable[[Callable[[], object]], Future[Any]], interrupts: CellInterrupts
    ) -> None:
        """`call` has the eval thread call a function, from any thread."""
        self._call = call
        self._interrupts = interrupts
        self._asked: list[Future[Any]] = []

    @asynccontextmanager
    async def to_host(self, app: Application[Any], watch: Watch | None) -> AsyncIterator[None]:
        """While `app`, the prompt's, is up, SIGINT is the host's. Runs on the prompt thread."""
        terminal = app.input
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        take_down = partial(loop.call_soon_threadsafe, task.cancel)
        is_up = attribute_replaced(
            self._interrupts, "prompt_is_up_threadsafe", partial(_is_up_threadsafe, app)
        )
        with (
            self._interrupts.deadly.deferred(take_down),
            terminal.raw_mode(),
            interrupts_are_keys(terminal),
        ):
            self._asked.append(given := self._call(self._interrupts.to_host))
            try:
                # There is nothing else to do, and a thread that awaits is woken later.
                concurrent.futures.wait({given}, timeout=LATE)
                with is_up:
                    yield
            except asyncio.CancelledError:
                # Withdrawn. The eval thread may be waiting for just that: no long wait here.
                self._asked.append(taken := self._call(self._interrupts.to_shell))
                await asyncio.wait({when_done(loop, taken)}, timeout=SOON)
                raise
            except BaseException:  # Ctrl-D, or Ctrl-C where it is not the line's
                await self._to_shell(terminal, watch)
                raise
            await self._to_shell(terminal, watch)

    async def _to_shell(self, terminal: Input, watch: Watch | None) -> None:
        taken = self._call(self._interrupts.to_shell)
        self._asked.append(taken)
        await _until_done(taken, terminal, watch)

    @contextmanager
    def without_raw_mode(self, is_terminal: bool) -> Iterator[None]:
        """While lines are read as they come: Ctrl-C in a terminal is SIGINT, and is not the host's.

        Runs on the eval thread.
        """
        if not is_terminal:
            self._interrupts.to_host()
        try:
            yield
        finally:
            self._interrupts.to_shell()

    def close(self) -> None:
        """The prompt is over. Runs on the eval thread."""
        for asked in self._asked:
            asked.cancel()
        self._interrupts.to_shell()


def _is_up_threadsafe(app: Application[Any]) -> bool:
    return app.is_running and not app.is_done


async def _until_done(call: Future[Any], terminal: Input, watch: Watch | None) -> None:
    done = when_done(asyncio.get_running_loop(), call)
    if (await asyncio.wait({done}, timeout=SOON))[0]:
        return
    typed: list[KeyPress] = []

    def take(keys: list[KeyPress]) -> None:
        for key in keys:
            if key.key != Keys.ControlC:
                typed.append(key)
            elif watch is not None:
                watch.ctrl_c()

    take(get_typeahead(terminal))  # what came in one piece with the Enter
    with terminal.attach(lambda: take(terminal.read_keys())):
        await asyncio.wait({done})
    # What comes after was typed at a question that has been asked meanwhile.
    store_typeahead(terminal, [*typed, *get_typeahead(terminal)])


class CtrlCKeys:
    """A session's key bindings, where Ctrl-C also frees a thread that is stuck.

    If that is known, it does nothing else, and what is typed stays. If it is not known and nothing
    is typed, it does so if the thread turns out to be stuck.

    The same object from one prompt to the next: prompt_toolkit remembers what each key is bound to,
    but not for bindings that it has not seen, and then looks at all of them for each key.
    """

    def __init__(self) -> None:
        self._theirs: KeyBindingsBase | None = None
        self._ours = KeyBindings()
        self._ours.add(Keys.ControlC)(self._ctrl_c)
        self._merged: KeyBindingsBase = self._ours
        self._watch: Watch | None = None

    @contextmanager
    def bound(self, session: PromptSession[str], watch: Watch) -> Iterator[None]:
        """While the prompt is up."""
        theirs = session.key_bindings
        if theirs is None:
            yield
            return
        if theirs is not self._theirs:
            self._theirs, self._merged = theirs, merge_key_bindings([theirs, self._ours])
        self._watch = watch
        session.key_bindings = self._merged
        try:
            yield
        finally:
            session.key_bindings = theirs
            self._watch = None

    def _ctrl_c(self, event: KeyPressEvent) -> None:
        watch, theirs = self._watch, self._theirs
        assert watch is not None
        assert theirs is not None
        if watch.is_stuck:
            watch.ctrl_c()
            return
        if not event.current_buffer.text:
            watch.ctrl_c()
        for binding in reversed(theirs.get_bindings_for_keys((Keys.ControlC,))):
            if binding.filter():
                binding.call(event)
                return
