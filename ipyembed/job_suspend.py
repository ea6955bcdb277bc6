"""Ctrl-Z in a cell.

While a cell runs, the terminal turns Ctrl-Z into SIGTSTP. A cell with ``await`` is left behind as a
job, when it next awaits. A cell without suspends the process as it would without us: the handler
that was there is put back for that moment, and the signal raised again. So does a second Ctrl-Z, if
the loop has not come to the first one because something blocks it.

Signals reach the main thread only, so Ctrl-Z in a cell on a worker thread always suspends the
process.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class SuspendKey:
    """Who gets Ctrl-Z. All methods run on the main thread, or do nothing."""

    def __init__(self) -> None:
        self._leave_cell: Callable[[], bool] | None = None
        self._leave_wait: Callable[[], bool] | None = None
        self._previous: Any = None

    @contextmanager
    def armed(self, leave_cell: Callable[[], bool]) -> Iterator[None]:
        """While a cell runs: `leave_cell()` leaves it, or returns False where that cannot be."""
        signum = getattr(signal, "SIGTSTP", None)
        is_main = threading.current_thread() is threading.main_thread()
        previous = signal.getsignal(signum) if signum and is_main else None
        if previous is None:  # none there, or installed from C: it could not be put back
            yield
            return
        kept = self._leave_cell, self._leave_wait, self._previous
        self._leave_cell, self._leave_wait, self._previous = leave_cell, None, previous
        signal.signal(signal.SIGTSTP, self._handle)
        try:
            yield
        finally:
            self._leave_cell, self._leave_wait, self._previous = kept
            if signal.getsignal(signal.SIGTSTP) == self._handle:
                signal.signal(signal.SIGTSTP, previous)

    @contextmanager
    def awaiting(self, leave_wait: Callable[[], bool]) -> Iterator[None]:
        """While the cell's code waits in `run_in_foreground()`: `leave_wait()` ends that."""
        kept, self._leave_wait = self._leave_wait, leave_wait
        try:
            yield
        finally:
            self._leave_wait = kept

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._leave_wait is not None:
            self._leave_wait()
        elif self._leave_cell is None or not self._leave_cell():
            self._suspend(signum, frame)

    def _suspend(self, signum: int, frame: FrameType | None) -> None:
        previous = self._previous
        if callable(previous):
            previous(signum, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)  # comes back from here when the process is continued
            signal.signal(signum, self._handle)


suspend_key = SuspendKey()
"""The process's."""
