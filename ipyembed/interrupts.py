"""Who gets Ctrl-C while a cell runs.

Goal: Ctrl-C stops the cell and nothing else of the host.

What does not work: asyncio's `Runner` turns the first SIGINT into a cancel of the host's main
task; `loop.add_signal_handler` cannot interrupt code that blocks, and taking such a handler away
again throws away the one that the host had.

What we do: while a cell runs on the main thread, one `signal.signal` handler looks at the stack
that it interrupted. If the cell's own code is on it, `KeyboardInterrupt` is raised there. If not,
the cell is awaiting, and what it awaits is cancelled. Before and after, the host's handler is in
place, the same object. A cell on another thread is not interrupted: signals reach the main thread
only.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

_OURS = os.path.dirname(__file__) + os.sep

# Methods of IPython (8 and 9) whose frames are on the stack just as long as the cell is executed:
# not while it awaits. The first takes an exception for the cell's; around it, in the second, the
# shell does its own work, as on the history.
_RUNS_CODE = InteractiveShell.run_ast_nodes.__code__
_RUNS_CELL = InteractiveShell.run_cell_async.__code__


class CellInterrupts:
    """Interrupts of one shell's cells. All methods run on the eval thread."""

    def __init__(self, shell: TerminalInteractiveShell) -> None:
        self._shell = shell
        self._cancel: Callable[[], object] | None = None
        self._is_critical: Callable[[], bool] = _never
        self.cancelled = False
        """Whether the cell that runs, or the last one, was cancelled by Ctrl-C."""

    @contextmanager
    def armed(self) -> Iterator[None]:
        """While a cell runs: SIGINT is ours."""
        self.cancelled = False
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = signal.getsignal(signal.SIGINT)
        if previous is None:  # installed from C: it could not be put back
            yield
            return
        signal.signal(signal.SIGINT, self._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    @contextmanager
    def awaiting(
        self,
        cancel_threadsafe: Callable[[], object],
        is_critical: Callable[[], bool] | None = None,
    ) -> Iterator[None]:
        """While the cell may await: `cancel_threadsafe()` cancels what it awaits.

        It is called from a signal handler, so it must also wake the loop. `is_critical()` tells, in
        the handler, whether the code that was interrupted is the loop's own, called by the cell,
        and must not be left by an exception; then what the cell awaits next is cancelled.
        """
        previous = self._cancel, self._is_critical
        self._cancel, self._is_critical = cancel_threadsafe, is_critical or _never
        try:
            yield
        finally:
            self._cancel, self._is_critical = previous

    @contextmanager
    def left_to_the_runner(self) -> Iterator[None]:
        """While a runner that is not ours (``%autoawait trio``) runs a cell: SIGINT is Python's.

        Such a runner has its own way with it, if nobody else has.
        """
        ours = signal.getsignal(signal.SIGINT)
        if ours != self._handle or threading.current_thread() is not threading.main_thread():
            yield
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, ours)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        executing = self._runs(_RUNS_CODE, frame)
        if executing and not self._is_critical():
            raise KeyboardInterrupt
        if self._cancel is not None and (executing or not self._runs(_RUNS_CELL, frame)):
            self.cancelled = True
            self._cancel()

    def without_handler(self, tb: TracebackType | None) -> TracebackType | None:
        """Cut our own frames off a traceback's end: the user's code was interrupted, not ours."""
        last: TracebackType | None = None
        at = tb
        while at is not None:
            if not at.tb_frame.f_code.co_filename.startswith(_OURS):
                last = at
            at = at.tb_next
        if last is not None:
            last.tb_next = None
        return tb

    def _runs(self, code: CodeType, frame: Any) -> bool:
        while frame is not None:
            if frame.f_code is code and frame.f_locals.get("self") is self._shell:
                return True
            frame = frame.f_back
        return False


def _never() -> bool:
    return False


@contextmanager
def woken_by_signals(wake_threadsafe: Callable[[], object]) -> Iterator[None]:
    """While the main thread waits in C code that goes on after a signal (Qt's loop).

    Python calls its handlers between two bytecodes of the main thread, so such code must be made to
    call some Python: `wake_threadsafe()`, on a thread of ours, when a signal has come. That thread
    is told by the wakeup fd; who had that before is told as well. Off the main thread, nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    previous = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)

    def forward() -> None:
        while numbers := ours.recv(4096):
            if previous != -1:
                with suppress(OSError):
                    os.write(previous, numbers)
            with suppress(RuntimeError):
                wake_threadsafe()

    thread = threading.Thread(target=forward, name="ipyembed-signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous, warn_on_full_buffer=False)
        theirs.close()
        thread.join()
        ours.close()
