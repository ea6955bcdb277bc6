"""Waiting for the prompt from inside somebody else's loop, by awaiting.

The host loop goes on turning; the caller's own task waits, and awaits the cells. What differs from
loop to loop is in one subclass of `Host` each: `AsyncioHost` here, for asyncio's own loop, uvloop
and the loops that Qt turns (qasync, QtAsyncio); `TrioHost` in `hosts_trio`, which is imported only
where trio is running.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from ipyembed.blocking import frames
from ipyembed.detach import Detachable
from ipyembed.detach_task import InCallersTask
from ipyembed.interrupts import CellInterrupts
from ipyembed.juggler import LoopJuggler
from ipyembed.kept_context import InContext, carry_over, keeps_context
from ipyembed.loops import kind_of, when_done
from ipyembed.prompt_thread import TEARDOWN, Question, prompt_thread
from ipyembed.watchdog import Watch

T = TypeVar("T")


def current_host() -> Host:
    """The host of the code that is running. Raises RuntimeError where nothing can be awaited."""
    if trio_is_current():
        from ipyembed.hosts_trio import TrioHost

        return TrioHost()
    return AsyncioHost()


def trio_is_current() -> bool:
    """Whether a trio task is running, and not a task of an asyncio loop that trio turns."""
    trio: Any = sys.modules.get("trio")
    if trio is None or not hasattr(trio, "lowlevel"):  # half imported, by another thread
        return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    try:
        return asyncio.current_task() is None
    except RuntimeError:
        return True


class Host(ABC):
    """A task of a running loop, which has asked for a shell.

    But for `call_soon_threadsafe`, everything runs on the loop's thread, in that task.
    """

    kind: str
    """What loop it is, for people."""
    loop: asyncio.AbstractEventLoop | None = None
    """The loop, if it is one of asyncio's interface."""
    cancellation: type[BaseException]
    """What the loop raises in a task that is cancelled."""

    @abstractmethod
    def call_soon_threadsafe(self, function: Callable[[], object]) -> object:
        """Have the loop call `function`, which must not raise; from any thread or signal handler.

        Raises RuntimeError when the loop has ended.
        """

    @abstractmethod
    def watch(self, juggler: LoopJuggler) -> Watch:
        """What watches the host loop while the prompt is up."""

    @abstractmethod
    async def wait_until_done(self, future: Future[Any]) -> None:
        """Wait without touching `future`; only the wait is cancelled."""

    @abstractmethod
    async def take_back(self, question: Question[Any]) -> None:
        """Withdraw the question and wait until the terminal is free, although we are cancelled."""

    @property
    @abstractmethod
    def is_being_cancelled(self) -> bool:
        """Whether the host has cancelled the task since the shell was opened."""

    @abstractmethod
    async def raise_if_cancelled(self) -> None:
        """Raises the loop's cancellation, if the host has cancelled the task.

        IPython takes every exception for the cell's, and so swallows this one.
        """

    @abstractmethod
    async def run_cell(self, cell: Coroutine[Any, Any, T], interrupts: CellInterrupts) -> T:
        """Await `cell` in the task; Ctrl-C cancels what it awaits, once or more."""

    @abstractmethod
    def detachable(self, coroutine: Coroutine[Any, Any, T]) -> Detachable[T]:
        """To await a cell's code in the task so that it can be left, or says why it cannot."""

    @contextmanager
    def opened(self, juggler: LoopJuggler) -> Iterator[None]:
        """While the shell is open: calls for the eval thread are made by the host loop."""
        calls, interrupts = juggler.calls, juggler.interrupts
        interrupts.host_loop = self.loop
        interrupts.roots = set(frames(sys._getframe()))
        with calls.woken_by(lambda: self.call_soon_threadsafe(calls.run_pending)):
            yield

    async def wait(self, question: Question[T]) -> T:
        """The answer. If the task is cancelled, the question is taken back first."""
        try:
            await self.wait_until_done(question.answer)
        except GeneratorExit:  # the coroutine is thrown away, nothing may be awaited
            question.withdraw_and_wait()
            raise
        except BaseException:
            await self.take_back(question)
            raise
        return question.answer.result()


class AsyncioHost(Host):
    """A task of an asyncio loop of any kind."""

    cancellation = asyncio.CancelledError

    def __init__(self) -> None:
        """Raises RuntimeError where no asyncio loop or no task is running."""
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError(
                "embed_async() must be awaited by a task of the running asyncio loop"
            )
        self.task = task
        self.kind = kind_of(self.loop)
        # In PySide6 below 6.7, cancel() of QtAsyncio's tasks drops their coroutine, without its
        # knowing, and cancelling() is not implemented. There, Ctrl-C does not end an awaiting cell.
        self._can_cancel = _is_implemented(task.cancelling)
        # Higher than 0 where the shell is opened while a cancellation is being handled.
        self._cancelling = task.cancelling() if self._can_cancel else 0

    def call_soon_threadsafe(self, function: Callable[[], object]) -> object:
        """See `Host`."""
        return self.loop.call_soon_threadsafe(function)

    def watch(self, juggler: LoopJuggler) -> Watch:
        """See `Host`."""
        return juggler.watch_loop(self.loop)

    async def wait_until_done(self, future: Future[Any]) -> None:
        """See `Host`."""
        with prompt_thread.given_way_by(self.loop):
            await when_done(self.loop, future)

    async def take_back(self, question: Question[Any]) -> None:
        """See `Host`."""
        gone = when_done(self.loop, question.answer)
        question.withdraw_threadsafe()
        try:
            with prompt_thread.given_way_by(self.loop):
                await asyncio.wait({gone}, timeout=TEARDOWN)
        except asyncio.CancelledError:  # once more: no more patience
            question.withdraw_and_wait()

    @property
    def is_being_cancelled(self) -> bool:
        """See `Host`."""
        return self._can_cancel and self.task.cancelling() > self._cancelling

    async def raise_if_cancelled(self) -> None:
        """See `Host`."""
        if self.is_being_cancelled:
            raise asyncio.CancelledError

    def detachable(self, coroutine: Coroutine[Any, Any, T]) -> Detachable[T]:
        """See `Host`."""
        return InCallersTask(coroutine)

    async def run_cell(self, cell: Coroutine[Any, Any, T], interrupts: CellInterrupts) -> T:
        """See `Host`. Afterwards the task is as if nobody had asked it to cancel."""
        asked = 0
        over = False

        def cancel() -> None:
            nonlocal asked
            if self._can_cancel and not over:
                asked += 1
                self.task.cancel()

        with interrupts.awaiting(cancel, self.loop.call_soon_threadsafe, loop=self.loop):
            try:
                return await self._with_context_kept(cell)
            finally:
                over = True
                for _ in range(asked):
                    self.task.uncancel()

    async def _with_context_kept(self, cell: Coroutine[Any, Any, T]) -> T:
        if keeps_context(self.task):
            return await cell
        context = contextvars.copy_context()
        before = dict(context)
        try:
            return await InContext(cell, context)
        finally:
            carry_over(before, context)


def _is_implemented(method: Callable[[], object]) -> bool:
    try:
        method()
    except NotImplementedError:
        return False
    return True
