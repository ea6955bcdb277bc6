"""A client's Ctrl-C: it stops that client's cell and nothing else of the host.

What does not work: to send SIGINT. That is the host's, also while a client's cell runs: a Ctrl-C at
the host's terminal means the host. And a host's `loop.add_signal_handler(SIGINT, …)` is called by
the loop, which reads the signal's number from its wakeup descriptor, whatever handler is set:
a client's Ctrl-C would end the server.

What we do, while a cell of a client's runs:

- it awaits: what it awaits is cancelled by a call on its loop;
- its code runs, on the main thread: a nudge (`ipyembed.nudge`) breaks off a blocking call, and
  raises `KeyboardInterrupt` if the cell's code is on the stack that it finds;
- it runs a toolkit's loop, as of a dialog: that is ended as for a shell's Ctrl-C (`gui.leaving`);
- its code runs, on another thread, or where there is no nudge: Python raises `KeyboardInterrupt`
  there at the next bytecode. That does not break off a blocking call.

Whether the cell awaits is decided on the eval thread itself: a call on the loop can only be made
when the cell's code does not run.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from ipyembed.gui import breaking_out
from ipyembed.gui.leaving import LeavingLoops
from ipyembed.interrupts import CellInterrupts
from ipyembed.nudge import nudge
from ipyembed.stacks import runs_code

PATIENCE = 1.0
"""Seconds in which a toolkit's loop that was told to end has ended, unless a callback holds it."""


class EngineInterrupts(CellInterrupts):
    """Interrupts of the cells that clients run in one shell. SIGINT is left to the host."""

    def __init__(self, shell: Any, call_soon_threadsafe: Callable[[Any], object]) -> None:
        super().__init__(shell)
        self._loops = LeavingLoops(partial(runs_code, shell), self._met)
        self._call_soon_threadsafe = call_soon_threadsafe
        # Guards "the cell still runs, so interrupt it" against the end of the cell. Reentrant,
        # for a nudge arrives in the midst of whatever holds it.
        self._lock = threading.RLock()
        self._ident: int | None = None
        self._has_nudge = False
        self._is_requested = False
        self._asked_to_leave = 0.0
        self._leaving: threading.Thread | None = None
        self._cancel_awaited: Callable[[], object] | None = None
        self._is_critical_now: Callable[[], bool] | None = None

    def open(self) -> None:
        """See `CellInterrupts`: there is nothing to take."""

    def close(self) -> None:
        """See `CellInterrupts`."""

    def to_shell(self) -> None:
        """See `CellInterrupts`: SIGINT stays the host's."""

    def to_host(self) -> None:
        """See `CellInterrupts`."""

    @contextmanager
    def armed(self) -> Iterator[None]:
        """While a cell runs: requests are for it. Eval thread."""
        self.cancelled = self._is_requested = False
        self._asked_to_leave = 0.0
        self._has_nudge = threading.current_thread() is threading.main_thread() and nudge.hold()
        self._loops.begin()
        with self._lock:
            self._ident = threading.get_ident()
        try:
            yield
        finally:
            self._disarm()

    def _disarm(self) -> None:
        while True:
            try:
                with self._lock:
                    ident, self._ident = self._ident, None
                    self._is_requested = False
                    if ident is not None and not self._has_nudge:
                        _raise_in_thread(ident, None)  # one that has not arrived yet
                break
            except KeyboardInterrupt:  # it has, just now
                continue
        if self._has_nudge:
            self._has_nudge = False
            nudge.let_go()

    @contextmanager
    def awaiting(
        self,
        cancel: Callable[[], object],
        call_soon_threadsafe: Callable[[Callable[[], object]], object] | None = None,
        is_critical: Callable[[], bool] | None = None,
        loop: Any = None,
    ) -> Iterator[None]:
        """See `CellInterrupts`. `cancel()` is called on the eval thread, by its loop."""
        previous = self._cancel_awaited, self._is_critical_now
        self._cancel_awaited, self._is_critical_now = cancel, is_critical
        try:
            yield
        finally:
            self._cancel_awaited, self._is_critical_now = previous

    def request_threadsafe(self) -> None:
        """Interrupt the cell that runs, if one does."""
        with self._lock:
            if self._ident is None:
                return
            if self._has_nudge:
                self._is_requested = True
                nudge.call_threadsafe(self._raise_if_requested)
            elif runs_code(self._shell, sys._current_frames().get(self._ident)):
                _raise_in_thread(self._ident, KeyboardInterrupt)
                return
            else:
                self._is_requested = True
        self._call_soon_threadsafe(self._cancel_if_requested)

    def withdraw_threadsafe(self) -> None:
        """The cell has been interrupted otherwise; once is enough."""
        with self._lock:
            self._is_requested = False
            if self._ident is not None and not self._has_nudge:
                _raise_in_thread(self._ident, None)

    def repeat_threadsafe(self) -> bool:
        """Nudge again, if a request has not been met yet; whether that is so."""
        with self._lock:
            if self._ident is None or not self._is_requested:
                return False
            if self._has_nudge:
                nudge.call_threadsafe(self._raise_if_requested)
                self._have_loop_left_threadsafe()
            return True

    def _have_loop_left_threadsafe(self) -> None:
        """No code of Python's may run: the cell is in a toolkit's loop, perhaps."""
        is_asking = self._leaving is not None and self._leaving.is_alive()
        if self._asked_to_leave or is_asking or not breaking_out.is_possible():
            return

        def leave() -> None:
            if self._is_requested:
                self._loops.leave_threadsafe()

        # Tk has whoever asks wait.
        self._leaving = threading.Thread(target=leave, name="ipyembed-leaving", daemon=True)
        self._leaving.start()

    def _raise_if_requested(self, frame: FrameType | None) -> None:
        """On the main thread, in the midst of whatever runs there."""
        if not self._is_requested or not runs_code(self._shell, frame):
            return
        if self._is_critical_now is not None and self._is_critical_now():
            return
        if self._asked_to_leave and time.monotonic() - self._asked_to_leave < PATIENCE:
            return
        if self._loops.is_to_leave(frame):
            self._asked_to_leave = time.monotonic()
            return
        self._is_requested = False
        raise KeyboardInterrupt

    def _met(self) -> None:
        self._is_requested = False

    def _cancel_if_requested(self) -> None:
        """On the eval thread, called by its loop."""
        # In a toolkit's loop that the cell's code runs, asyncio may turn as well.
        is_in_loop = runs_code(self._shell, sys._getframe()) and self._loops.are_deeper()
        if self._is_requested and not is_in_loop:
            self._is_requested = False
            self.cancel_what_it_awaits()

    def cancel_what_it_awaits(self) -> None:
        """Cancel now. On the eval thread, and not by the cell itself."""
        if self._cancel_awaited is not None:
            self.cancelled = True
            self._cancel_awaited()


def _raise_in_thread(ident: int, error: type[BaseException] | None) -> None:
    """CPython 3.11 to 3.13: have `error` raised in a thread at its next bytecode; None: not."""
    api: Any = getattr(ctypes, "pythonapi", None)
    if api is not None:
        api.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(ident), None if error is None else ctypes.py_object(error)
        )
