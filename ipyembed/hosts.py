"""Waiting for the prompt from inside somebody else's loop, by awaiting.

The host loop goes on turning; the caller's own task waits. What differs from loop to loop is here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from ipyembed.juggler import LoopJuggler, _finish_threadsafe
from ipyembed.prompt_thread import TEARDOWN, Question
from ipyembed.watchdog import Watch

T = TypeVar("T")


class AsyncioHost:
    """A task of a running asyncio loop (of any kind: uvloop's too) that has asked for a shell.

    All methods run on the loop's thread, in that task.
    """

    def __init__(self, juggler: LoopJuggler) -> None:
        """Raises RuntimeError where no asyncio loop or no task is running."""
        self.loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError(
                "embed_async() must be awaited by a task of the running asyncio loop"
            )
        self.task = task
        # Higher than 0 where the shell is opened while a cancellation is being handled.
        self._cancelling = task.cancelling()
        self._juggler = juggler

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While the shell is open: calls for the eval thread are made by the host loop."""
        calls = self._juggler.calls
        with calls.woken_by(lambda: self.loop.call_soon_threadsafe(calls.run_pending)):
            yield

    def watch(self) -> Watch:
        """What watches the host loop while the prompt is up."""
        return self._juggler.watch_loop(self.loop)

    async def wait(self, question: Question[T]) -> T:
        """The answer. If the task is cancelled, the question is taken back first."""
        done = self.loop.create_future()
        question.answer.add_done_callback(partial(_finish_threadsafe, self.loop, done))
        try:
            await done
        except asyncio.CancelledError:
            await self._take_back(question)
            raise
        except BaseException:  # GeneratorExit: the coroutine is thrown away, nothing may be awaited
            question.withdraw_and_wait()
            raise
        return question.answer.result()

    async def _take_back(self, question: Question[T]) -> None:
        gone = self.loop.create_future()
        question.answer.add_done_callback(partial(_finish_threadsafe, self.loop, gone))
        question.withdraw_threadsafe()
        try:
            await asyncio.wait({gone}, timeout=TEARDOWN)
        except asyncio.CancelledError:  # once more: no more patience
            question.withdraw_and_wait()

    @property
    def is_being_cancelled(self) -> bool:
        """Whether the host has cancelled the task since the shell was opened."""
        return self.task.cancelling() > self._cancelling

    @contextmanager
    def cell_can_be_interrupted(self) -> Iterator[None]:
        """While a cell is awaited in the task: Ctrl-C cancels what the task awaits, once or more.

        Afterwards the task is as if nobody had asked it to cancel.
        """
        asked = 0
        over = False

        def cancel() -> None:
            nonlocal asked
            if not over:
                asked += 1
                self.task.cancel()

        interrupts = self._juggler.interrupts
        with interrupts.awaiting(lambda: self.loop.call_soon_threadsafe(cancel)):
            try:
                yield
            finally:
                over = True
                for _ in range(asked):
                    self.task.uncancel()
