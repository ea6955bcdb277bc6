"""`wx.App()` in a cell: SIGINT stays with the cell.

Goal: Ctrl-C in the rest of that cell, as in `app.MainLoop()`, is a `KeyboardInterrupt`.

What does not work: `wx.App()` gives SIGINT the system's default action, unless it is told not to
(`clearSigInt=False`), for Python's handlers are not called while wx waits in C. Then Ctrl-C ends
the process, and nothing of ours hears of it.

What we do: while a cell runs, `signal.signal` passes this one call, by `wx.core`, on to us. What wx
has asked for is the host's from the next prompt on, as it would be without a shell.
"""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def leaves_sigint_alone(set_hosts: Callable[[Any], Any]) -> Iterator[None]:
    """`set_hosts(handler)` notes the host's handler, and returns the one before. Main thread."""
    original = signal.signal

    @functools.wraps(original)
    def stand_in(signalnum: Any, handler: Any) -> Any:
        is_default = signalnum == signal.SIGINT and handler == signal.SIG_DFL
        if is_default and sys._getframe(1).f_globals.get("__name__") == "wx.core":
            return set_hosts(handler)
        return original(signalnum, handler)

    signal.signal = stand_in
    try:
        yield
    finally:
        if signal.signal is stand_in:
            signal.signal = original
