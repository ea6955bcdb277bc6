"""The GUI loop as asyncio's wait.

asyncio spends its idle time in `loop._selector.select(timeout)`. A stand-in for that selector runs
the toolkit's loop there instead of sleeping: until one of asyncio's descriptors is readable, the
timeout has passed, or something has been scheduled.

Who notices what while the toolkit's loop runs:

==========================================  ======================================================
a descriptor of asyncio's                   the selector's own descriptor, which is pollable
another thread (`call_soon_threadsafe`)     likewise: it writes to the loop's self-pipe
asyncio's next timer                        an alarm (timerfd)
a GUI callback that schedules a callback    `call_soon`, `call_at` and `stop` of the loop are
of asyncio's, or stops the loop             replaced meanwhile by ones that ring the alarm
==========================================  ======================================================

The last row is what a selector cannot see: a GUI callback runs inside `select`, so what it
schedules is not waited for by anybody.

When asyncio is busy it never waits, and the toolkit would starve; then it gets a short turn every
`TURN_EVERY` seconds. A server that answers request after request does wait, but only for moments,
in each of which the toolkit's loop would be entered and left, which costs as much as the request.
So after a wait that was over within `MOMENT` seconds the next ones are the real selector's, as long
as they, too, are over so soon, and with the same turns for the toolkit.

`can_stand_in()` tells whether a loop has a selector that is pollable; others get a waiter thread
(`waiter`) or slices (`slices`).
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable
from typing import Any

from ipyembed.gui.alarm import Alarm
from ipyembed.gui.turn import GuiTurn
from ipyembed.gui.waking import Waking
from ipyembed.standing_in import StandIn

TURN_EVERY = 0.004
"""Seconds for which a busy asyncio may keep the toolkit waiting."""
MOMENT = 0.001
"""Seconds: the longest wait that is not worth a turn of the toolkit."""


def can_stand_in(loop: Any) -> bool:
    """Whether `loop` waits in a selector that is pollable itself, and alarms can be made."""
    selector = getattr(loop, "_selector", None)
    return (
        isinstance(loop, asyncio.BaseEventLoop)
        and hasattr(selector, "select")
        and callable(getattr(selector, "fileno", None))
        and hasattr(select, "epoll")
        and Alarm.is_available()
    )


class GuiSelector(StandIn):
    """Turns the toolkit's loop in the waits of one asyncio loop.

    `gui()` gives the toolkit to turn at the moment; None: wait as the real selector does.
    """

    def __init__(self, loop: Any, gui: Callable[[], GuiTurn | None]) -> None:
        super().__init__(loop)
        self._gui = gui
        self._select = self.real.select
        self._alarm = Alarm()
        self._both = select.epoll()
        self._both.register(self.real.fileno(), select.EPOLLIN)
        self._both.register(self._alarm.fd, select.EPOLLIN)
        self._turn_ended = 0.0
        self._waits_are_short = False
        self._depth = 0
        self._waking = Waking(loop, lambda: self._alarm.ring_in(0))

    def select(self, timeout: float | None = None) -> Any:
        """See `selectors.BaseSelector`. Runs on the loop's thread."""
        gui = None if self.has_left else self._gui()
        if gui is None:
            return self._select(timeout)
        started = time.monotonic()
        may_wait = started - self._turn_ended < TURN_EVERY
        if self._waits_are_short and may_wait and (timeout is None or timeout > 2 * MOMENT):
            if events := self._select(MOMENT):
                return events
            self._waits_are_short = False
            if timeout is not None:
                timeout -= time.monotonic() - started
        events = self._select(0)
        is_busy = bool(events) or (timeout is not None and timeout <= 0)
        if is_busy and may_wait:
            return events
        self._depth += 1
        self._alarm.ring_in(0 if is_busy else timeout)
        try:
            with self._waking:
                gui.run_until_readable(self._both.fileno())
        finally:
            self._depth -= 1
            # A GUI callback may have run the loop again from inside: then the select around this
            # one has lost its alarm and comes back at once, to be called anew.
            self._alarm.ring_in(0 if self._depth else None)
            self._turn_ended = time.monotonic()
        events = events or self._select(0)
        self._waits_are_short = bool(events) and self._turn_ended - started < MOMENT
        return events

    def close_stand_in(self) -> None:
        """See `StandIn`."""
        self._both.close()
        self._alarm.close()
