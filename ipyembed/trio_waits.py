"""Ctrl-C in a cell that trio awaits.

Goal: what the cell awaits ends with `KeyboardInterrupt`, and nothing else is cancelled.

What does not work:

- A cancel scope of ours around the cell: what the cell leaves open would outlive the scope in which
  it was opened ("Cancel scope stack corrupted").
- Trio's own way, a pending interrupt for the main task: the shell may be in another task; and in
  the main task it ends whatever is awaited next, after the cell.
- `Task._attempt_abort()`, or calling the abort function of the wait and `reschedule()`: the first
  is private, the second crashes trio if the task has been rescheduled already, which nothing
  public tells.
- A scope around each single wait, cancelled by Ctrl-C, and nothing more: then a cell at the end of
  its nursery block waits on, because a nursery takes an interrupt for its own, but leaves a
  cancellation of its parent to come by its own scope.

What we do: drive the cell's coroutine by hand, and put each single wait of it into a scope of its
own. While the task waits, no code of the cell runs, so that scope is always the innermost one.
Ctrl-C cancels it. The wait's abort function then gets a `raise_cancel` that raises
`KeyboardInterrupt`, as trio's own interrupt would give it. The only thing not public in this is
that the message that a wait yields has an attribute `abort_func` (in 0.22 to 0.35); a message
without it is passed on as it is, and Ctrl-C comes through at the next one that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, NoReturn, TypeVar

import outcome
import trio
from trio.lowlevel import Abort

T = TypeVar("T")


class DrivenByHand(Generic[T]):
    """A coroutine, awaited so that a subclass has a say in each of its waits."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], value: Any = None, waits_for: Any = None
    ) -> None:
        """For one that has begun: what it goes on with, or the message of its wait."""
        self._coroutine = coroutine
        self._value = value
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, T]:
        # What `yield from self._coroutine.__await__()` does, but for what happens at each wait.
        value, message = self._value, self._waits_for
        self._value = self._waits_for = None
        resume: Callable[[Any], Any] = self._coroutine.send
        while True:
            if message is None:
                try:
                    message = resume(value)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
            try:
                value = came = yield from self._wait(message)
                resume = self._coroutine.send
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as error:
                # Its traceback begins with the frames of ours through which it was thrown in.
                value, resume = error.with_traceback(None), self._coroutine.throw
                came = outcome.Error(value)
            message = None
            self._before_it_goes_on(came)
            del came

    def _wait(self, message: Any) -> Generator[Any, Any, Any]:
        return (yield message)

    def _before_it_goes_on(self, value: Any) -> None:
        """A wait has come to `value`. What is raised here, the coroutine does not see."""


class InterruptibleWaits(DrivenByHand[T]):
    """A coroutine, awaited so that each of its waits can be ended by `KeyboardInterrupt`."""

    _wanted = False
    _scope: trio.CancelScope | None = None

    def interrupt(self) -> None:
        """End the present wait, or the next one that can be ended. Runs on trio's thread."""
        self._wanted = True
        if self._scope is not None:
            self._scope.cancel()

    def _raise_interrupt(self) -> NoReturn:
        self._wanted = False
        raise KeyboardInterrupt

    def _wait(self, message: Any) -> Generator[Any, Any, Any]:
        abort: Callable[[Any], Abort] | None = getattr(message, "abort_func", None)
        if abort is None:
            return (yield message)
        interrupted = False

        def abort_or_interrupt(raise_cancel: Any) -> Abort:
            nonlocal interrupted
            if not self._wanted:
                return abort(raise_cancel)
            # If it fails, it keeps `_raise_interrupt` and calls it later, or never: then the
            # next wait is interrupted.
            if (done := abort(self._raise_interrupt)) is Abort.SUCCEEDED:
                self._wanted, interrupted = False, True
            return done

        with trio.CancelScope() as scope:
            if self._wanted:
                scope.cancel()
            self._scope = scope
            try:
                value = yield _message_to_wait(abort_or_interrupt)
            finally:
                self._scope = None
        if interrupted:
            return outcome.Error(KeyboardInterrupt())
        if self._wanted and _is_result_of_thread(value):
            # Nothing else would end a loop of `trio.to_thread.run_sync()`: no wait in it can be.
            self._wanted = False
            return outcome.Value(outcome.Error(KeyboardInterrupt()))
        return value


def _message_to_wait(abort: Callable[[Any], Abort]) -> Any:
    """What `wait_task_rescheduled` yields to trio's scheduler.

    Not simply awaited: that would unwrap what comes back, and the cell's own wait wants it wrapped.
    """
    waiter = trio.lowlevel.wait_task_rescheduled(abort)  # noqa: ASYNC105
    message = waiter.send(None)
    waiter.close()
    return message


def _is_result_of_thread(value: Any) -> bool:
    return isinstance(value, outcome.Value) and isinstance(value.value, outcome.Outcome)
