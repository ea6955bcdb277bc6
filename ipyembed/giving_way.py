"""A loop that never waits gives the prompt's thread its turn.

One thread at a time runs Python: the one that has the interpreter's lock (the GIL). A thread that
wants it, asks for it after 5 ms (`sys.getswitchinterval()`) in which nobody else has let it go.

Goal: the prompt stays alive beside a host whose loop is always busy, as of a simulation that
computes for a millisecond and then does `await asyncio.sleep(0)`.

What does not work: to leave it to Python. Such a loop lets the lock go at each turn, for the
microseconds in which it looks at its descriptors, and has it again before a thread that waits for
it has woken up. That thread begins to count its 5 ms anew, for ever. To count shorter
(`sys.setswitchinterval()`) makes all threads of the host slower, and a loop with shorter turns has
the same effect again.

What we do: at each turn, the loop looks from time to time whether the prompt's thread could run,
and sleeps for a moment if so. Whether it could is told by that thread's own selector, which is a
descriptor that can be looked at from here (`SeenSelector`). A loop that does wait is not disturbed.

==============================  =================================================================
loop                            where it looks
==============================  =================================================================
asyncio's, on selectors         where it waits, in `loop._selector` (CPython 3.11 to 3.13)
another of asyncio's interface  the selector's descriptor is one of the loop's, with a reader; as
                                that may be called by an idle loop too, it looks a moment later
trio                            before it waits: an instrument (`hosts_trio`)
==============================  =================================================================
"""

from __future__ import annotations

import asyncio
import math
import select
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from ipyembed.standing_in import standing_in

BUSY = 0.002
"""Seconds without a wait, after which a loop looks."""
LOOK_EVERY = 0.0005
"""Seconds from one look to the next."""
A_MOMENT = 0.00005
"""Seconds: a wait that is long enough for another thread to wake up and take the lock."""


class SeenSelector(selectors.DefaultSelector):
    """The selector of a thread's loop; others see whether the thread has something to do."""

    _until = 0.0  # when its wait is over; 0: it does not wait

    def select(self, timeout: float | None = None) -> Any:
        """See `selectors.BaseSelector`. Runs on the loop's thread."""
        self._until = math.inf if timeout is None else time.monotonic() + timeout
        try:
            return super().select(timeout)
        finally:
            self._until = 0.0

    def look(self) -> Callable[[], bool] | None:
        """A function that tells it to one other thread; None where that cannot be told."""
        if not (callable(getattr(self, "fileno", None)) and hasattr(select, "poll")):
            return None  # as on Windows
        ready = select.poll()
        ready.register(self.fileno(), select.POLLIN)
        return lambda: time.monotonic() >= self._until or bool(ready.poll(0))


class GivesWay:
    """What a loop does before and after it waits. Runs on its thread."""

    def __init__(self, wants_to_run: Callable[[], bool]) -> None:
        """`wants_to_run()` tells whether the other thread has something to do."""
        self._wants_to_run = wants_to_run
        self._has_waited = self._looks_at = time.monotonic()
        self._began = 0.0

    def before_wait(self) -> None:
        """Have the other thread run, if the loop has not waited for long."""
        now = time.monotonic()
        if now >= self._looks_at and now - self._has_waited > BUSY:
            if self._wants_to_run():
                time.sleep(A_MOMENT)
                now = time.monotonic()
            else:
                self._looks_at = now + LOOK_EVERY
        self._began = now

    def after_wait(self) -> None:
        """The loop goes on."""
        now = time.monotonic()
        if now - self._began > A_MOMENT:
            self._has_waited = now


class _Selector:
    """Stands in for the selector of an asyncio loop."""

    has_left = False

    def __init__(self, loop: Any, gives_way: GivesWay) -> None:
        self.real = real = loop._selector
        self._before, self._select, self._after = (
            gives_way.before_wait,
            real.select,
            gives_way.after_wait,
        )
        # The methods that asyncio calls often are here at once, not by way of __getattr__.
        self.register, self.unregister = real.register, real.unregister
        self.modify, self.get_map = real.modify, real.get_map

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def select(self, timeout: float | None = None) -> Any:
        self._before()
        events = self._select(timeout)
        self._after()
        return events

    def close_stand_in(self) -> None:
        pass


class _Reader:
    """Looks when the other thread's selector is ready, and that has not been seen to at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wants_to_run: Callable[[], bool]) -> None:
        self._loop = loop
        self._wants_to_run = wants_to_run
        self._next: asyncio.Handle | None = None

    @contextmanager
    def reading(self, fd: int) -> Iterator[None]:
        """For the time of the block, where loops of this kind have readers."""

        def ready() -> None:
            self._loop.remove_reader(fd)
            self._next = self._loop.call_later(BUSY, look)

        def look() -> None:
            if self._wants_to_run():
                time.sleep(A_MOMENT)
                self._next = self._loop.call_soon(look)
            else:
                self._next = None
                self._loop.add_reader(fd, ready)

        try:
            self._loop.add_reader(fd, ready)
        except NotImplementedError:
            yield
            return
        try:
            yield
        finally:
            if not self._loop.is_closed():
                self._loop.remove_reader(fd)
            if self._next is not None:
                self._next.cancel()


def giving_way(
    loop: asyncio.AbstractEventLoop, other: SeenSelector | None
) -> AbstractContextManager[None]:
    """For the time of the block, `loop` gives way to the thread whose selector is `other`.

    Enter and leave on the loop's thread.
    """
    wants_to_run = other.look() if other is not None else None
    if other is None or wants_to_run is None:
        return nullcontext()
    # Not qasync's, which has a selector of that name and does not wait in it.
    if getattr(type(loop), "run_forever", None) is asyncio.BaseEventLoop.run_forever:
        return standing_in(loop, _Selector(loop, GivesWay(wants_to_run)))
    return _Reader(loop, wants_to_run).reading(other.fileno())
