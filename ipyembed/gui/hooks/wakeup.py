"""Signals that arrive while a toolkit waits in C.

Python runs a signal's handler between two bytecodes of the main thread, and there are none while
the toolkit waits; a system call that the signal interrupts is often just repeated. Python's wake-up
descriptor tells of a signal at once, without a race. Whoever had it before us (asyncio, for
`loop.add_signal_handler`) still gets its bytes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from typing import Self

from ipyembed.wakeup_fd import put_back_fd

# Kept from one call to the next: a call must cost little.
_pair: tuple[socket.socket, socket.socket] | None = None
_users = 0


class SignalWakeup:
    """While entered, `fileno()` is readable as soon as a signal has arrived.

    Off the main thread, which is where no handler ever runs, `fileno()` is -1.
    """

    __slots__ = ("_previous", "_reader", "_writer")

    def __enter__(self) -> Self:
        global _pair, _users
        self._reader = self._writer = self._previous = -1
        if threading.current_thread() is threading.main_thread():
            if _pair is None:
                _pair = socket.socketpair()
                for end in _pair:
                    end.setblocking(False)
            self._reader, self._writer = (end.fileno() for end in _pair)
            _users += 1
            self._previous = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return self

    def fileno(self) -> int:
        return self._reader

    def drain(self) -> bool:
        """Make it unreadable again; whether a signal had arrived."""
        if self._reader < 0:
            return False
        try:
            arrived = os.read(self._reader, 4096)
        except BlockingIOError:
            return False
        if self._previous not in (-1, self._writer):
            with contextlib.suppress(OSError):
                os.write(self._previous, arrived)
        return True

    def __exit__(self, *exc_info: object) -> None:
        global _users
        if self._reader < 0:
            return
        _users -= 1
        found = put_back_fd(self._previous)
        if found != self._writer:
            # A callback has set another one, which is to stay.
            put_back_fd(found)
        self.drain()


def release() -> None:
    """Close what is kept from one call of a hook to the next, unless a call is under way."""
    global _pair
    if _pair is not None and not _users:
        for end in _pair:
            end.close()
        _pair = None
