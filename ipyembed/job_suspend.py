"""Ctrl-Z in a cell.

While a cell runs, the terminal turns Ctrl-Z into SIGTSTP. A cell with ``await`` is left behind as a
job, when it next awaits. A cell without suspends the process as it would without us: the handler
that was there is put back for that moment, and the signal raised again. So does a second Ctrl-Z, if
the loop has not come to the first one because something blocks it, or if the cell has said that it
cannot be left.

On the main thread a handler of Python's is all that is needed. Where the cell is on a worker
thread, that would wait for whatever blocks the main thread; there the signal is taken in C
(`sigint_elsewhere`), and a thread of ours does the rest.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, ClassVar

from ipyembed.sigint_elsewhere import SignalReader
from ipyembed.sigint_in_c import c_handlers


class SuspendKey:
    """Who gets Ctrl-Z. But for what the name says, all methods run on the thread of the cell."""

    def __init__(self) -> None:
        self._leave_cell: Callable[[], bool] | None = None
        self._leave_wait: Callable[[], bool] | None = None
        self._previous: Any = None

    @contextmanager
    def armed(self, leave_cell: Callable[[], bool]) -> Iterator[None]:
        """While a cell runs: `leave_cell()` leaves it, or returns False where that cannot be.

        It is called on the main thread in a signal handler, or on a thread of ours.
        """
        if not hasattr(signal, "SIGTSTP"):
            yield
            return
        kept = self._leave_cell, self._leave_wait, self._previous
        self._leave_cell, self._leave_wait = leave_cell, None
        is_main = threading.current_thread() is threading.main_thread()
        try:
            with self._taken() if is_main else _taken_elsewhere(self._leave):
                yield
        finally:
            self._leave_cell, self._leave_wait, self._previous = kept

    @contextmanager
    def awaiting(self, leave_wait: Callable[[], bool]) -> Iterator[None]:
        """While the cell's code waits in `run_in_foreground()`: `leave_wait()` ends that."""
        kept, self._leave_wait = self._leave_wait, leave_wait
        try:
            yield
        finally:
            self._leave_wait = kept

    @contextmanager
    def suspending(self) -> Iterator[None]:
        """While a child of the cell has the terminal: it suspends the process, and nothing else."""
        kept = self._leave_cell, self._leave_wait
        self._leave_cell = self._leave_wait = None
        try:
            yield
        finally:
            self._leave_cell, self._leave_wait = kept

    def _leave(self) -> bool:
        """Leave what runs, if that can be. In a signal handler, or on a thread of ours."""
        if self._leave_wait is not None:
            self._leave_wait()
            return True
        return self._leave_cell is not None and self._leave_cell()

    @contextmanager
    def _taken(self) -> Iterator[None]:
        previous = self._previous = signal.getsignal(signal.SIGTSTP)
        if previous is None:  # installed from C: it could not be put back
            yield
            return
        signal.signal(signal.SIGTSTP, self._handle)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGTSTP) == self._handle:
                signal.signal(signal.SIGTSTP, previous)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if not self._leave():
            self._suspend(signum, frame)

    def _suspend(self, signum: int, frame: FrameType | None) -> None:
        previous = self._previous
        if callable(previous):
            previous(signum, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)  # comes back from here when the process is continued
            signal.signal(signum, self._handle)


class _Elsewhere:
    """The signal, taken while a cell runs on a worker thread."""

    open: ClassVar[list[_Elsewhere]] = []
    """Those of the cells that run, innermost last: a cell may open a shell."""

    def __init__(self, handlers: Any, leave: Callable[[], bool]) -> None:
        """`handlers` is `faulthandler`."""
        self._handlers = handlers
        self._leave = leave
        # Held for a suspension, in which the cell must not end.
        self._lock = threading.Lock()
        self._is_over = False
        self._reader = SignalReader(self._arrived, "ipyembed-suspend")

    def take(self) -> None:
        """Take it, or take it again."""
        self._handlers.register(signal.SIGTSTP, self._reader.file, all_threads=False, chain=False)

    def give_back(self) -> None:
        """Put back what was there before the first."""
        with self._lock:
            self._is_over = True
            self._handlers.unregister(signal.SIGTSTP)
        self._reader.close()

    def _arrived(self) -> None:
        """Runs on the reader's thread."""
        if self._leave():
            return
        with self._lock:
            if self._is_over:
                return
            self._handlers.unregister(signal.SIGTSTP)
            # To this thread, not to the process: so the process has stopped, and been continued,
            # before the signal is taken again.
            signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
            self.take()


@contextmanager
def _taken_elsewhere(leave: Callable[[], bool]) -> Iterator[None]:
    """While a cell runs on a worker thread."""
    handlers = c_handlers()
    if handlers is None:
        yield
        return
    taken = _Elsewhere(handlers, leave)
    _Elsewhere.open.append(taken)
    taken.take()
    try:
        yield
    finally:
        taken.give_back()
        _Elsewhere.open.remove(taken)
        if _Elsewhere.open:
            _Elsewhere.open[-1].take()


suspend_key = SuspendKey()
"""The process's."""
