"""Turning an asyncio loop on the eval thread until something is done.

An event loop is a function that goes round: it sleeps until a timer is due or a descriptor can be
read, makes the calls that waited for that, and sleeps again. To *turn* a loop is to be in that
function. A thread is in one place at a time, so a loop that its thread does not turn stands still,
with all its tasks, timers and connections. Leaving a loop harms nothing: when it is turned again,
it goes on with whatever has become due.

However it is turned, and for whatever, three things belong to it:

- The toolkit, where there is one, is turned in place of the loop's sleep (`gui`).
- Other threads may ask for calls on the eval thread (`eval_calls`): the loop makes them.
- A loop that is running already is turned from inside one of its callbacks (`reentry`).
"""

from __future__ import annotations

import asyncio
import contextvars
import traceback
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from ipyembed import reentry
from ipyembed.blocking import passes_callback
from ipyembed.eval_calls import EvalCalls
from ipyembed.gui.current import CurrentGui
from ipyembed.interrupts import CellInterrupts
from ipyembed.loops import when_done
from ipyembed.prompt_thread import prompt_thread

T = TypeVar("T")


class Turning:
    """Turns loops on one eval thread. All methods run there, and block until they are done.

    `strategy` is the policy `gui_strategy` as it is at that moment, and `interrupts` has Ctrl-C
    then: the shell's, or those of a client's cell.
    """

    def __init__(self, gui: CurrentGui, calls: EvalCalls) -> None:
        self._gui = gui
        self._calls = calls

    @contextmanager
    def _sharing(self, loop: asyncio.AbstractEventLoop, strategy: str) -> Iterator[None]:
        """While the loop is turned, it turns the toolkit and makes the calls that are asked for."""
        self._gui.share(loop, strategy)
        with self._calls.woken_by(lambda: loop.call_soon_threadsafe(self._calls.run_pending)):
            yield

    def until_answered(
        self, loop: asyncio.AbstractEventLoop, strategy: str, answer: Future[Any], is_ours: bool
    ) -> None:
        """Until the prompt, or whatever else is waited for, has set `answer`.

        `is_ours`: the loop runs nothing but what cells have started, so none of that may end the
        program. Raises SystemExit where a task of the host's does, and what a signal's handler
        raises.
        """
        with self._sharing(loop, strategy), prompt_thread.given_way_by(loop):
            while not answer.done():
                try:
                    reentry.run_or_reenter(loop, when_done(loop, answer))
                except SystemExit as error:
                    if not is_ours or not passes_callback(error.__traceback__):
                        raise  # a task of the host's, or the handler of a signal, ends the host
                    # A task made in a cell: IPython, too, does not leave for a SystemExit.
                    traceback.print_exc()

    def run(
        self,
        loop: asyncio.AbstractEventLoop,
        strategy: str,
        interrupts: CellInterrupts,
        coroutine: Coroutine[Any, Any, T],
        context: contextvars.Context | None,
    ) -> T:
        """Until `coroutine` has ended; its result. Ctrl-C cancels what it awaits."""
        with self._sharing(loop, strategy):
            task = loop.create_task(coroutine, context=context)
            with interrupts.awaiting(task.cancel, loop.call_soon_threadsafe, loop=loop):
                return reentry.run_or_reenter(loop, task)

    def until_done(
        self,
        loop: asyncio.AbstractEventLoop,
        strategy: str,
        interrupts: CellInterrupts,
        future: asyncio.Future[None],
        interrupt: Callable[[], object],
    ) -> None:
        """Until `future` is done.

        Ctrl-C calls `interrupt()` in the loop, which must end `future`; nothing is raised in what
        the loop happens to run.
        """
        with (
            self._sharing(loop, strategy),
            interrupts.awaiting(
                interrupt, loop.call_soon_threadsafe, is_critical=lambda: True, loop=loop
            ),
        ):
            reentry.run_or_reenter(loop, future)
