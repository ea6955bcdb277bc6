"""A half-run coroutine is left by the task that awaits it, and goes on in a task of its own.

Goal: Ctrl-Z gives the prompt back while a cell awaits; the cell becomes a job.

Where the cell has a task of its own from the start (`InOwnTask`: in the shell's own loop, or a loop
run again from inside) that is simple: nobody waits for it any more.

In an awaitable shell the cell is awaited in the caller's task, which has to go back to the prompt
(`InCallersTask`). A task drives a coroutine by calling `send()`, gets the future that the coroutine
waits for, and asks that to call it back. We stand in between: the task gets a stand-in for the
future, which passes everything on to it and remembers how to call the task back. To leave, the task
is called back although the future is not done; a new task takes over the coroutine, and is told
first of the future that it was waiting for.

What changes for the coroutine at that moment is `asyncio.current_task()`. A timeout or a task group
that it has open is bound to the old task: it would cancel that, and so the host, when its time has
come. Such a coroutine is not left; `CannotDetach` says why.

A task that is not of asyncio's kind (QtAsyncio has its own) gets the futures themselves; there a
coroutine cannot be left either.
"""

from __future__ import annotations

import asyncio
import contextvars
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from ipyembed.task_bound import bound_to

T = TypeVar("T")


class Detached(Exception):  # noqa: N818  # no error: how an await ends
    """Raised where a `Detachable` is awaited: it goes on without."""

    def __init__(self, task: asyncio.Task[Any], context: contextvars.Context) -> None:
        super().__init__("goes on in the background")
        self.task = task
        """What has taken over, not yet continued."""
        self.context = context
        """Its context variables, which are nobody else's from now on."""


class CannotDetach(RuntimeError):  # noqa: N818  # beside `Detached`
    """The coroutine cannot be left as it is now."""


class Detachable(ABC, Generic[T]):
    """A coroutine that is awaited once, and may be left. On one loop, in its thread."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    async def wait(self) -> T:
        """The coroutine's result or exception; or raises `Detached`. A cancellation is its."""

    @abstractmethod
    def detach(self) -> None:
        """Leave it, at once or at its next wait. Raises `CannotDetach`, and then it stays."""

    def detach_threadsafe(self, refused: Callable[[str], object]) -> None:
        """The same from any thread or signal handler; `refused(why)` is called on the loop's."""

        def detach() -> None:
            try:
                self.detach()
            except CannotDetach as error:
                refused(str(error))

        if self._loop is not None:
            self._loop.call_soon_threadsafe(detach)


class InOwnTask(Detachable[T]):
    """The coroutine has a task of its own from the start."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context | None = None
    ) -> None:
        """`context` is that of the task, a copy of the current one by default."""
        super().__init__(coroutine)
        self._context = context
        self._left: asyncio.Future[None] | None = None

    async def wait(self) -> T:
        """See `Detachable`."""
        context = self._context or contextvars.copy_context()
        loop = self._loop = asyncio.get_running_loop()
        left = self._left = loop.create_future()
        task = loop.create_task(self._coroutine, context=context)
        while not (task.done() or left.done()):
            try:
                await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                task.cancel()
        if not task.done():
            raise Detached(task, context)
        return task.result()

    def detach(self) -> None:
        """See `Detachable`; never refuses."""
        if self._left is not None and not self._left.done():
            self._left.set_result(None)


class InCallersTask(Detachable[T]):
    """The coroutine is awaited in the caller's task, as by a plain ``await``.

    ==============  ======================================  =============================
    the coroutine   the caller's task                       `detach()`
    ==============  ======================================  =============================
    waits           waits for `_stand_in`                   calls it back at once
    has yielded     is about to run (``asyncio.sleep(0)``)  takes effect when it runs
    is running      is running                              takes effect at the next wait
    is over         has gone on                             does nothing
    ==============  ======================================  =============================
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        super().__init__(coroutine)
        self._task: asyncio.Task[Any] | None = None
        self._stand_in: _StandIn | None = None
        self._is_asked = False
        self._is_foreign = False

    async def wait(self) -> T:
        """See `Detachable`."""
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        self._is_foreign = not isinstance(task, asyncio.Task)
        try:
            if self._is_foreign:
                return await self._coroutine
            self._task = task
            result: T = await _Driven(self._drive())
            return result
        finally:
            self._task = None
            self._is_foreign = False

    def detach(self) -> None:
        """See `Detachable`."""
        if self._is_foreign:
            raise CannotDetach("this loop's tasks cannot leave what they await")
        if self._task is None:
            return
        bound = bound_to(self._task, self._coroutine)
        if bound is not None:
            raise CannotDetach(
                f"it has a {type(bound).__name__} open, which is bound to the task that awaits it"
            )
        self._is_asked = True
        if self._stand_in is not None:
            self._stand_in.call_back()

    def _drive(self) -> Generator[Any, Any, T]:
        coroutine = self._coroutine
        send: Callable[[Any], Any] = coroutine.send
        argument: Any = None
        while True:
            try:
                waits_for = send(argument)
            except StopIteration as stop:
                result: T = stop.value
                return result
            is_future = self._is_awaited_future(waits_for)
            if self._is_asked:
                raise self._left(waits_for)
            stand_in = self._stand_in = _StandIn(waits_for) if is_future else None
            try:
                argument = yield (stand_in or waits_for)
                send = coroutine.send
            except BaseException as error:
                tb = error.__traceback__  # without this frame
                argument, send = error.with_traceback(tb.tb_next if tb else None), coroutine.throw
            finally:
                self._stand_in = None
            if self._is_asked and send == coroutine.send and not _has_come(waits_for, is_future):
                if is_future:
                    waits_for._asyncio_future_blocking = True
                raise self._left(waits_for)

    def _is_awaited_future(self, yielded: Any) -> bool:
        """Whether the task would wait for it; all else is left to the task to complain about."""
        if yielded is self._task or not getattr(yielded, "_asyncio_future_blocking", False):
            return False
        return yielded.get_loop() is self._loop

    def _left(self, waits_for: Any) -> Detached:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        rest = _Rest(self._coroutine, waits_for)
        return Detached(loop.create_task(rest, context=context), context)


def _has_come(future: Any, is_future: bool) -> bool:
    """Whether the task was called back because what it waits for is there; a bare yield is."""
    return is_future and bool(future.done())


class _Driven:
    """To await a generator."""

    def __init__(self, generator: Generator[Any, Any, Any]) -> None:
        self._generator = generator

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._generator


class _StandIn:
    """What a task waits for in place of a future: it passes all that a task does on to that.

    A task (CPython 3.11 to 3.13, in C and in Python) asks what it has got from a coroutine for
    `_asyncio_future_blocking`, and calls the methods that are here.
    """

    _asyncio_future_blocking = True

    def __init__(self, future: asyncio.Future[Any]) -> None:
        future._asyncio_future_blocking = False
        self._future = future
        self._callback: Callable[[Any], object] | None = None
        self._context: contextvars.Context | None = None

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._future.get_loop()

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: contextvars.Context | None = None
    ) -> None:
        self._callback, self._context = callback, context
        self._future.add_done_callback(callback, context=context)

    def cancel(self, msg: Any = None) -> bool:
        return self._future.cancel(msg=msg) if msg is not None else self._future.cancel()

    def result(self) -> None:
        """To the task that is called back to leave."""

    def done(self) -> bool:
        return self._future.done()

    def call_back(self) -> None:
        """Have the task go on, although the future is not done."""
        callback = self._callback
        if callback is not None and self._future.remove_done_callback(callback):
            self.get_loop().call_soon(callback, self, context=self._context)

    def __repr__(self) -> str:
        return repr(self._future)


class _Rest(Coroutine[Any, Any, T]):
    """What is left of a coroutine that has yielded `waits_for`; a new task drives it."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._first: Any = waits_for
        self._has_begun = False

    def send(self, value: Any) -> Any:
        """See `Coroutine`."""
        if self._has_begun:
            return self._coroutine.send(value)
        self._has_begun = True
        first, self._first = self._first, None
        return first

    def throw(self, *error: Any) -> Any:
        """See `Coroutine`."""
        self._has_begun, self._first = True, None
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """See `Coroutine`."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, T]:
        raise TypeError("driven by a task only")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)  # where it is: cr_frame, cr_await, __name__
