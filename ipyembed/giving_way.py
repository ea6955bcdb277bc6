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
trio                            before it waits: an instrument
==============================  =================================================================
"""

from __future__ import annotations

import asyncio
import math
import os
import select
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ipyembed.standing_in import StandIn, standing_in

if TYPE_CHECKING:
    from ipyembed.gui.alarm import Alarm

BUSY = 0.002
"""Seconds without a wait, after which a loop looks."""
LOOK_EVERY = 0.0005
"""Seconds from one look to the next, at least."""
MOST_UNSEEN = 15
"""Turns in a row at which a loop whose turns are short does not even look at the clock."""
A_MOMENT = 0.00005
"""Seconds: a wait that is long enough for another thread to wake up and take the lock."""


class SeenSelector(selectors.DefaultSelector):
    """The selector of a thread's loop; others see whether the thread has something to do."""

    _until = 0.0  # when its wait is over; 0: it does not wait
    _alarm: Alarm | None = None
    wakes_others = False
    """Whether its descriptor is also to become readable when a wait's time is over, and when the
    thread has gone on for long, as it may be waiting for the lock (on Linux)."""

    def select(self, timeout: float | None = None) -> Any:
        """See `selectors.BaseSelector`. Runs on the loop's thread."""
        self._until = math.inf if timeout is None else time.monotonic() + timeout
        try:
            if self.wakes_others:
                return self._select_with_alarm(timeout)
            return super().select(timeout)
        finally:
            self._until = 0.0

    def _select_with_alarm(self, timeout: float | None) -> Any:
        alarm = self._alarm
        if alarm is None:
            from ipyembed.gui.alarm import Alarm

            alarm = self._alarm = Alarm()
            self.register(alarm.fd, selectors.EVENT_READ)
        is_short = timeout is not None and timeout <= 0
        alarm.ring_in(None if is_short else timeout)
        events = super().select(0 if is_short else None)
        alarm.ring_in(BUSY)
        return [(key, mask) for key, mask in events if key.fd != alarm.fd]

    def close(self) -> None:
        """See `selectors.BaseSelector`."""
        super().close()
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None

    def close_for_good(self) -> None:
        """The thread ends, and has nothing more to do."""
        self._until = math.inf
        self.close()

    @property
    def can_be_seen(self) -> bool:
        """Whether this system has selectors that are descriptors, unlike Windows."""
        return callable(getattr(self, "fileno", None)) and hasattr(select, "poll")

    @contextmanager
    def looking(self) -> Iterator[tuple[int, Callable[[], bool]]]:
        """For one other thread: a function that tells it, and a descriptor that is ready then.

        The descriptor stays good if this selector is closed meanwhile, on its own thread.
        """
        fd = os.dup(self.fileno())
        ready = select.poll()
        ready.register(fd, select.POLLIN)
        try:
            yield fd, lambda: time.monotonic() >= self._until or bool(ready.poll(0))
        finally:
            os.close(fd)


class GivesWay:
    """What a loop does before and after it waits. Runs on its thread."""

    def __init__(self, wants_to_run: Callable[[], bool]) -> None:
        """`wants_to_run()` tells whether the other thread has something to do."""
        self._wants_to_run = wants_to_run
        self._has_waited = self._looks_at = time.monotonic()
        self._began = 0.0

    def before_wait(self) -> float:
        """Have the other thread run, if the loop has not waited for long; returns the time."""
        now = time.monotonic()
        if now >= self._looks_at and now - self._has_waited > BUSY:
            if self._wants_to_run():
                time.sleep(A_MOMENT)
                now = time.monotonic()
            else:
                self._looks_at = now + LOOK_EVERY
        self._began = now
        return now

    def after_wait(self) -> None:
        """The loop goes on."""
        now = time.monotonic()
        if now - self._began > A_MOMENT:
            self._has_waited = now


class _Selector(StandIn):
    """Gives way around the waits of an asyncio loop."""

    def __init__(self, loop: Any, gives_way: GivesWay) -> None:
        super().__init__(loop)
        self._gives_way = gives_way
        self._select = self.real.select
        self._seen = 0.0
        self._turns = self._unseen = 0

    def select(self, timeout: float | None = None) -> Any:
        if self._unseen:
            self._unseen -= 1
            return self._select(timeout)
        now = self._gives_way.before_wait()
        a_turn = (now - self._seen) / (self._turns + 1)
        self._seen = now
        self._turns = self._unseen = MOST_UNSEEN if a_turn * MOST_UNSEEN < LOOK_EVERY else 0
        events = self._select(timeout)
        self._gives_way.after_wait()
        return events


@contextmanager
def giving_way_when_woken(
    loop: asyncio.AbstractEventLoop, other: SeenSelector | None
) -> Iterator[None]:
    """As `giving_way`, for a loop of any kind; one that waits is woken when `other` is ready.

    Nothing is done where loops of this kind have no readers.
    """
    if other is None or not other.can_be_seen:
        yield
        return
    from ipyembed.gui.alarm import Alarm

    with other.looking() as (fd, wants_to_run):
        other.wakes_others = Alarm.is_available()
        then: asyncio.Handle | None = None

        def ready() -> None:
            nonlocal then
            loop.remove_reader(fd)
            then = loop.call_later(BUSY, look)

        def look() -> None:
            nonlocal then
            if wants_to_run():
                time.sleep(A_MOMENT)
                then = loop.call_later(LOOK_EVERY, look)
            else:
                then = None
                loop.add_reader(fd, ready)

        try:
            loop.add_reader(fd, ready)
        except NotImplementedError:
            yield
            return
        ready()  # it may be running now, for long
        try:
            yield
        finally:
            if then is not None:
                then.cancel()
            if not loop.is_closed():
                loop.remove_reader(fd)


@contextmanager
def giving_way(loop: asyncio.AbstractEventLoop, other: SeenSelector | None) -> Iterator[None]:
    """For the time of the block, `loop` gives way to the thread whose selector is `other`.

    Enter and leave on the loop's thread.
    """
    if other is None or not other.can_be_seen:
        yield
        return
    # Not qasync's, which has a selector of that name and does not wait in it.
    waits_in_it = getattr(type(loop), "run_forever", None) is asyncio.BaseEventLoop.run_forever
    if not waits_in_it or not hasattr(getattr(loop, "_selector", None), "select"):
        with giving_way_when_woken(loop, other):
            yield
        return
    with other.looking() as (_, wants_to_run):
        with standing_in(loop, _Selector(loop, GivesWay(wants_to_run))):
            yield
