"""The GUI loop in slices, for loops that hide their wait (uvloop).

A callback of the loop gives the toolkit a turn of at most `SLICE` seconds, again and again. A turn
ends early when the loop's own descriptor has something to do, where it can be had. asyncio's
timers can be late by a slice, and the process wakes up for each: this is the last resort.
"""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ipyembed.gui.alarm import Alarm
from ipyembed.gui.selector import TURN_EVERY
from ipyembed.gui.turn import GuiTurn

SLICE = 0.005
"""Seconds of a toolkit's turn, at most."""
REST = 0.002
"""Seconds between two turns in which a loop that does not show what is due has itself."""


class _SliceEnd:
    """A descriptor that is readable when a slice is over: an alarm, else a thread's timer."""

    def __init__(self, loop: Any) -> None:
        self._alarm = Alarm() if Alarm.is_available() and hasattr(select, "epoll") else None
        if self._alarm is not None:
            self._both = select.epoll()
            self._both.register(self._alarm.fd, select.EPOLLIN)
            # uvloop 0.17 and later: private, the descriptor on which libuv waits.
            backend = getattr(loop, "_get_backend_id", None)
            if backend is not None:
                self._both.register(backend(), select.EPOLLIN)
            self.fd = self._both.fileno()
        else:
            self._read, self._write = socket.socketpair()
            self.fd = self._read.fileno()

    @contextmanager
    def set(self, seconds: float) -> Iterator[None]:
        if self._alarm is not None:
            self._alarm.ring_in(seconds)
            try:
                yield
            finally:
                self._alarm.ring_in(None)
            return
        timer = threading.Timer(seconds, self._write.send, [b"\0"])
        timer.start()
        try:
            yield
        finally:
            timer.join()
            self._read.recv(1)

    def close(self) -> None:
        if self._alarm is not None:
            self._both.close()
            self._alarm.close()
        else:
            self._read.close()
            self._write.close()


@contextmanager
def gui_in_slices(
    loop: asyncio.AbstractEventLoop, gui: Callable[[], GuiTurn | None]
) -> Iterator[None]:
    """While the block lasts, `loop` gives the toolkit that `gui()` gives its slices.

    Enter and leave on the loop's thread.
    """
    end = _SliceEnd(loop)
    # asyncio's loops (CPython 3.11 to 3.13) show what is due. uvloop does not; there every slice is
    # followed by a rest, in which what the slice's end has set off can run through.
    due: Any = getattr(loop, "_ready", None)
    handle: asyncio.Handle
    is_in_slice = False
    turn_ended = 0.0

    def give_slice() -> None:
        nonlocal handle, is_in_slice, turn_ended
        turn = gui()
        if turn is None or is_in_slice:  # nothing to turn for now, or run again from inside
            handle = loop.call_later(10 * SLICE, give_slice)
            return
        if not due or time.monotonic() - turn_ended > TURN_EVERY:
            is_in_slice = True
            try:
                with end.set(0 if due else SLICE):
                    turn.run_until_readable(end.fd)
            finally:
                is_in_slice = False
                turn_ended = time.monotonic()
        handle = loop.call_later(REST, give_slice) if due is None else loop.call_soon(give_slice)

    handle = loop.call_soon(give_slice)
    try:
        yield
    finally:
        handle.cancel()
        end.close()
