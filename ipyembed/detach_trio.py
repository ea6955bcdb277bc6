"""A cell that a trio task awaits is left, and goes on in a task of its own.

Trio wakes a task by name: whoever ends a wait holds the task that has begun it. So no other task
can simply take over a wait, as under asyncio (`detach_task`). There are two ways all the same:

=================  ===============================================================================
the wait           the coroutine
=================  ===============================================================================
can be given over  goes on to wait, in the new task (`trio_given_over` knows such waits)
is over            goes on in the new task with what the wait has come to
=================  ===============================================================================

For the second, the wait has to be ended, by a `KeyboardInterrupt`. Code that has swallowed one from
the first Ctrl-C swallows that as well, so the second Ctrl-C may do it. Ctrl-Z may not: then a
coroutine whose wait cannot be given over stays.

The new task is one of trio's system tasks, which outlives the shell and is cancelled at the end of
the program's main task. What the coroutine has open goes along, but for locks.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

import outcome
import trio

from ipyembed.detach import Detached, Refused, Stays
from ipyembed.stacks import own_code
from ipyembed.trio_given_over import TaskParts, goes_along
from ipyembed.trio_waits import DrivenByHand, InterruptibleWaits

T = TypeVar("T")

MOST_SWALLOWED = 100
"""Waits in a row that end by a cancellation when trio ends; then the coroutine does not go on."""
_BELONGS_TO_TASK = "under trio, what it waits for belongs to the program's own task"
_HAS_LEFT = outcome.Value("its coroutine goes on in another task")


class InTriosTask(Stays[T]):
    """A coroutine that is awaited in a task of trio's. On trio's thread, if not said otherwise."""

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, T],
        end_wait: Callable[[], object],
        call_soon_threadsafe: Callable[[Callable[[], object]], object],
    ) -> None:
        """`end_wait` ends what the coroutine waits for, now or the next time that this can be."""
        super().__init__(coroutine, _BELONGS_TO_TASK, call_soon_threadsafe)
        self._end_wait = end_wait
        self._parts: TaskParts | None = None
        self._driven: _Observed[T] | None = None
        self._refused: Refused | None = None
        """Who has asked that it be left, if that has not been done yet."""
        self._rest: _Rest | None = None
        """What has taken over its wait."""

    async def wait(self) -> T:
        """See `Detachable`."""
        self._parts = TaskParts.of(trio.lowlevel.current_task(), self._coroutine)
        self._driven = _Observed(self._coroutine, self._before_it_goes_on)
        try:
            return await self._driven
        finally:
            self._driven = None

    def detach(self, refused: Refused) -> None:
        """See `Detachable`."""
        self._leave(refused, None)

    def leave_threadsafe(self, refused: Refused) -> bool:
        """See `Detachable`; any thread."""
        if self._parts is None:
            return False
        self._call_soon_threadsafe(lambda: self._leave(refused, self._end_wait))
        return True

    def _leave(self, refused: Refused, end_wait: Callable[[], object] | None) -> None:
        if self._driven is None:
            return
        if self._parts is None:
            refused(self._why)
            return
        if why := self._parts.why_stays():
            refused(why)
            return
        message = self._driven.waits_for
        self._refused = refused
        if message is None or not self._parts.is_waiting:
            return  # it is about to go on
        if goes_along(message, self._parts):
            rest = _Rest(self._coroutine, self._parts.task, self._call_soon_threadsafe)
            rest.start(lambda: self._take_over(rest, message))
        elif end_wait is not None:
            end_wait()
        else:
            self._refused = None
            refused(self._why)

    def _take_over(self, rest: _Rest, message: Any) -> bool:
        """Runs in the new task, which then has to wait; False if the old one has come before."""
        parts = self._parts
        if parts is None or self._refused is None or not parts.is_waiting:
            return False
        if self._driven is None or self._driven.waits_for is not message:
            return False
        if not goes_along(message, parts):
            return False
        parts.give_over(trio.lowlevel.current_task(), it_waits=True)
        self._rest = rest
        rest.waits_for = message
        trio.lowlevel.reschedule(parts.task, _HAS_LEFT)
        return True

    def _before_it_goes_on(self, value: Any) -> None:
        """Raises Detached, in place of giving `value` to the coroutine, if it is to be left."""
        refused, self._refused = self._refused, None
        rest = self._rest
        if rest is None:
            if refused is None or self._parts is None:
                return
            rest = _Rest(self._coroutine, self._parts.task, self._call_soon_threadsafe)
            rest.value = value
            self._parts.give_over(rest.start(lambda: True), it_waits=False)
        rest.old_has_left = True
        raise Detached(rest.outcome, rest.context, rest.interrupt_threadsafe)


class _Observed(DrivenByHand[T]):
    """Tells what a coroutine waits for, and when it is about to go on."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], before_it_goes_on: Callable[[Any], object]
    ) -> None:
        super().__init__(coroutine)
        self._before = before_it_goes_on
        self.waits_for: Any = None

    def _wait(self, message: Any) -> Generator[Any, Any, Any]:
        self.waits_for = message
        try:
            return (yield message)
        finally:
            self.waits_for = None

    def _before_it_goes_on(self, value: Any) -> None:
        self._before(value)


class _Rest:
    """What is left of a coroutine, and the task in which it goes on."""

    value: Any = None
    """What the coroutine goes on with,"""
    waits_for: Any = None
    """or what it waits for."""
    old_has_left = False
    """Whether the task that it leaves has gone on."""

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        task: trio.lowlevel.Task,
        call_soon_threadsafe: Callable[[Callable[[], object]], object],
    ) -> None:
        """`task` is the one that it leaves."""
        self._coroutine = coroutine
        self._call_soon_threadsafe = call_soon_threadsafe
        self._driven: _LastWaits | None = None
        self.context = task.context.copy()
        self.outcome = _Outcome(coroutine)

    def start(self, begin: Callable[[], bool]) -> trio.lowlevel.Task:
        """Make the task, which calls `begin()` first; there is nothing to do if that is false."""
        return trio.lowlevel.spawn_system_task(
            self._run, begin, name="ipyembed cell", context=self.context
        )

    async def _run(self, begin: Callable[[], bool]) -> None:
        # Nothing may be raised here: trio would end.
        if not begin():
            return
        self._driven = _LastWaits(self, self._coroutine, self.value, self.waits_for)
        try:
            result = await self._driven
        except BaseException as error:
            self.outcome.set_exception(CancelledError() if _was_asked_to_end(error) else error)
        else:
            self.outcome.set_result(result)

    def interrupt_threadsafe(self) -> None:
        """Ask it to end, as Ctrl-C does. Any thread."""
        with suppress(trio.RunFinishedError):
            self._call_soon_threadsafe(self._interrupt)

    def _interrupt(self) -> None:
        if self._driven is not None:
            self._driven.interrupt()


class _LastWaits(InterruptibleWaits[Any]):
    """Goes on after the old task has, so that the cell is a job by then.

    And not for ever with a coroutine that swallows the cancellation when trio ends.
    """

    _swallowed = 0

    def __init__(self, rest: _Rest, *args: Any) -> None:
        super().__init__(*args)
        self._rest = rest

    def _wait(self, message: Any) -> Generator[Any, Any, Any]:
        value = yield from super()._wait(message)
        while not self._rest.old_has_left:  # it has been woken up
            yield from trio.lowlevel.cancel_shielded_checkpoint().__await__()  # noqa: ASYNC105
        return value

    def _before_it_goes_on(self, value: Any) -> None:
        if not isinstance(value, outcome.Error) or not isinstance(value.error, trio.Cancelled):
            self._swallowed = 0
            return
        task = trio.lowlevel.current_task()
        nursery = task.parent_nursery
        if nursery is None or not nursery.cancel_scope.cancel_called or task.child_nurseries:
            return
        self._swallowed += 1
        if self._swallowed > MOST_SWALLOWED:
            raise CancelledError  # or trio would never end


class _Outcome(Future[Any]):
    """How a coroutine ends that has a task of trio's."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        super().__init__()
        self._coroutine = coroutine
        self.set_running_or_notify_cancel()  # it cannot be cancelled by this

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        """As that of an `asyncio.Task`."""
        return self._coroutine


# While they are at it, the coroutine has no task.
own_code.update({InTriosTask._leave.__code__, InTriosTask._take_over.__code__})


def _was_asked_to_end(error: BaseException) -> bool:
    asked = (trio.Cancelled, KeyboardInterrupt)
    if isinstance(error, BaseExceptionGroup):
        return error.split(asked)[1] is None
    return isinstance(error, asked) or isinstance(error.__cause__, KeyboardInterrupt)
