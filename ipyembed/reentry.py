"""Running a running asyncio loop again, from inside one of its own callbacks.

Goal: in a blocking shell inside a coroutine, ``await`` works on the loop that is executing that
coroutine, with the connections, locks and tasks that belong to it.

What asyncio says: `run_until_complete` refuses, because the loop is marked as running (in the
thread and in the loop) and because a task is current. Nothing else stands in the way: an
iteration of the loop holds no state across a callback but the number of handles that it still has
to take from the ready queue, and whether somebody has asked it to stop: the host's main task may
end while the inner run lasts, which must not end that, but has to end the outer one.

What does not work: patching asyncio (`nest_asyncio` replaces the C tasks by Python ones for the
whole process); a second loop (objects are bound to the first); greenlets (a dependency, and the
loop would have to be started in one).

What we do: leave the current task, take the marks away, run the loop, put everything back. The
outer iteration took the length of the ready queue before it began to take handles from it; the
inner one emptied that queue. So as many cancelled handles as there were before are appended: the
outer iteration takes those and skips them. Handles that were due run in the inner loop, in order.

State of the loop touched (CPython 3.11 to 3.13, `asyncio.BaseEventLoop`): `_ready`, `_thread_id`,
`_stopping`, `_current_handle`, `_old_agen_hooks` (3.13), `_set_coroutine_origin_tracking()`,
`_debug`. This is the only module that touches them; `can_reenter()` tells whether they are there.
A loop without them (uvloop), or that runs in its own way (qasync), cannot be re-entered.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ipyembed.loops import running_loop

T = TypeVar("T")

_ATTRIBUTES = ("_ready", "_thread_id", "_stopping", "_set_coroutine_origin_tracking", "_debug")


def can_reenter(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether `loop`, which is running, is of a kind that can be run again from its callbacks."""
    return (
        isinstance(loop, asyncio.BaseEventLoop)
        and not is_turned_by_another(loop)
        and all(hasattr(loop, name) for name in _ATTRIBUTES)
        and hasattr(asyncio.tasks, "_leave_task")
        and hasattr(asyncio.tasks, "_enter_task")
    )


def is_turned_by_another(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether `loop`, which is running, has asyncio's attributes, but Qt turns it.

    Those of qasync and of QtAsyncio are such: to turn Qt is to turn them.
    """
    return isinstance(loop, asyncio.BaseEventLoop) and getattr(loop, "_thread_id", 0) is None


def run_until_complete(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T]) -> T:
    """As `loop.run_until_complete`, from inside a callback or a task of `loop`.

    Call on the loop's thread, when `can_reenter(loop)`.
    """
    with _left(loop) as outer:
        is_over = False

        def end_inner_run(_: object) -> None:
            if is_over:  # an interrupt has ended it, with this callback already due
                return
            outer.note_stop()
            type(loop).stop(loop)  # the instance's own may be that of a run further out

        future.add_done_callback(end_inner_run)
        with outer.stops_are_its():
            try:
                while not future.done():
                    loop.run_forever()
                    if not future.done():
                        outer.is_to_stop = True
            finally:
                is_over = True
                future.remove_done_callback(end_inner_run)
                if future.done() and not future.cancelled():
                    future.exception()  # whoever gets what run_forever() raises has seen it
    return future.result()


def run_or_reenter(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T]) -> T:
    """The same, or `loop.run_until_complete` where the loop does not run here."""
    if loop is running_loop():
        return run_until_complete(loop, future)
    return loop.run_until_complete(future)


class _Outer:
    """The run of the loop that is interrupted by an inner one."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self.is_to_stop: bool = loop._stopping
        """Whether it is to stop when the inner one is over: the host's main task may have ended."""

    def note_stop(self) -> None:
        """Take a stop that was asked for by `stop()` itself, before the inner run asks for its."""
        self.is_to_stop = self.is_to_stop or self._loop._stopping

    @contextmanager
    def stops_are_its(self) -> Iterator[None]:
        """While the inner run lasts: whoever stops the loop means the outer one."""

        def stop() -> None:
            self.is_to_stop = True

        attributes = vars(self._loop)
        kept = {"stop": attributes["stop"]} if "stop" in attributes else {}
        attributes["stop"] = stop
        try:
            yield
        finally:
            attributes.pop("stop", None)
            attributes.update(kept)


@contextmanager
def _left(loop: Any) -> Iterator[_Outer]:
    outer = _Outer(loop)
    task = asyncio.current_task(loop)
    owed = len(loop._ready)
    thread_id = loop._thread_id
    handle = getattr(loop, "_current_handle", None)
    kept_hooks = getattr(loop, "_old_agen_hooks", None)
    hooks = sys.get_asyncgen_hooks()
    if task is not None:
        asyncio.tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    loop._thread_id = None
    loop._stopping = False
    try:
        yield outer
    finally:
        loop._thread_id = thread_id
        loop._stopping = outer.is_to_stop
        loop._current_handle = handle
        if hasattr(loop, "_old_agen_hooks"):
            loop._old_agen_hooks = kept_hooks
        sys.set_asyncgen_hooks(*hooks)
        asyncio._set_running_loop(loop)
        loop._set_coroutine_origin_tracking(loop._debug)
        if task is not None:
            asyncio.tasks._enter_task(loop, task)
        for _ in range(owed):
            loop._ready.append(_cancelled_handle(loop))


def _cancelled_handle(loop: asyncio.AbstractEventLoop) -> asyncio.Handle:
    handle = asyncio.Handle(lambda: None, (), loop)
    handle.cancel()
    return handle
