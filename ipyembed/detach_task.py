"""The coroutine is awaited in somebody else's task, and may be left all the same.

A task drives a coroutine by calling `send()`, gets the future that the coroutine waits for, and
asks that to call it back. We stand in between: the task gets a stand-in for the future, which
passes everything on to it and remembers how to call the task back. To leave, the task is called
back although the future is not done; a new task takes over the coroutine, and is told first of the
future that it was waiting for.

What changes for the coroutine at that moment is `asyncio.current_task()`. A timeout or a task group
that it has open is bound to the old task: it would cancel that, and so the host, when its time has
come. Those of asyncio's own are bound to the new one instead (`task_bound`). With anybody else's
open, the coroutine stays.

What does not work: a task for each cell from the start. What one cell opens and another closes (a
timeout, a task group, a lock that knows its task) would be in another task by then, and the host's
own `current_task()` would not be the one that it is at the prompt.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from ipyembed.detach import Detachable, Detached, Refused
from ipyembed.kept_context import keeps_context
from ipyembed.task_bound import bound_to, rebind, why_bound

T = TypeVar("T")


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
        self._task: Any = None
        self._stand_in: _StandIn | None = None
        self._refused: Refused | None = None
        """Who has asked that it be left, if that has not been done yet."""

    async def wait(self) -> T:
        """See `Detachable`."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        try:
            if not _takes_stand_ins(self._task):
                return await self._coroutine
            result: T = await _Driven(self._drive())
            return result
        finally:
            self._task = None

    def detach(self, refused: Refused) -> None:
        """See `Detachable`."""
        if self._task is None:
            return
        if not _takes_stand_ins(self._task):
            refused("this loop's tasks cannot leave what they await")
            return
        self._refused = refused
        if self._stand_in is not None and self._may_leave():
            self._stand_in.call_back()

    def _may_leave(self) -> bool:
        """Whether it has been asked for and can be done; if it cannot, that is said. It waits."""
        refused = self._refused
        if refused is None:
            return False
        for manager in bound_to(self._task, self._coroutine):
            if why := why_bound(manager, self._task):
                self._refused = None
                refused(why)
                return False
        return True

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
            if self._may_leave():
                raise self._left(waits_for)
            is_future = self._is_awaited_future(waits_for)
            while True:
                stand_in = self._stand_in = _StandIn(waits_for) if is_future else None
                try:
                    argument = yield (stand_in or waits_for)
                    send = coroutine.send
                except BaseException as error:
                    tb = error.__traceback__  # without this frame
                    argument = error.with_traceback(tb.tb_next if tb else None)
                    send = coroutine.throw
                    break
                finally:
                    self._stand_in = None
                if not is_future or waits_for.done():
                    break
                waits_for._asyncio_future_blocking = True
                if self._may_leave():
                    raise self._left(waits_for)
                # It could be left when that was asked for, and can no longer: it waits on.

    def _is_awaited_future(self, yielded: Any) -> bool:
        """Whether the task would wait for it; all else is left to the task to complain about."""
        if yielded is self._task or not getattr(yielded, "_asyncio_future_blocking", False):
            return False
        return yielded.get_loop() is self._loop

    def _left(self, waits_for: Any) -> Detached:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        bound = list(bound_to(self._task, self._coroutine))
        # A task that keeps no context is given it at each step; others have entered it by then.
        run = _call if keeps_context(self._task) else context.run
        task = loop.create_task(_Rest(self._coroutine, waits_for, run), context=context)
        for manager in bound:
            rebind(manager, task)
        return Detached(task, context)


def _takes_stand_ins(task: object) -> bool:
    """Whether tasks of that kind are known to take stand-ins: CPython's, and QtAsyncio's."""
    return isinstance(task, asyncio.Task) or type(task).__module__.startswith("PySide6.")


class _Driven:
    """To await a generator."""

    def __init__(self, generator: Generator[Any, Any, Any]) -> None:
        self._generator = generator

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._generator


class _StandIn:
    """What a task waits for in place of a future: it passes all that a task does on to that.

    A task (CPython 3.11 to 3.13, in C and in Python; PySide6 6.8 to 6.12) asks what it has got from
    a coroutine for `_asyncio_future_blocking`, and calls the methods that are here.
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

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], waits_for: Any, run: Callable[..., Any]
    ) -> None:
        """`run(step, argument)` makes a step."""
        self._coroutine = coroutine
        self._run = run
        self._first: Any = waits_for
        self._has_begun = False

    def send(self, value: Any) -> Any:
        """See `Coroutine`."""
        if self._has_begun:
            return self._run(self._coroutine.send, value)
        self._has_begun = True
        first, self._first = self._first, None
        return first

    def throw(self, *error: Any) -> Any:
        """See `Coroutine`."""
        self._has_begun, self._first = True, None
        return self._run(self._coroutine.throw, *error)

    def close(self) -> None:
        """See `Coroutine`."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, T]:
        raise TypeError("driven by a task only")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)  # where it is: cr_frame, cr_await, __name__


def _call(step: Callable[..., Any], *args: Any) -> Any:
    return step(*args)
