"""A client's Ctrl-C: it stops that client's cell and nothing else of the host.

What does not work: to send SIGINT. Where the host has called `loop.add_signal_handler(SIGINT, …)`,
the loop reads the signal's number from its wakeup descriptor and calls the host's handler, whatever
handler is set in Python: a client's Ctrl-C would end the server.

What we do, while a cell of a client's runs:

- it awaits: what it awaits is cancelled by a call on its loop;
- its code runs, on the main thread: SIGURG, which the system ignores by default and programs do not
  use, breaks off a system call, and its handler raises `KeyboardInterrupt` if the cell's code is on
  the stack that it finds;
- its code runs, on another thread, or where there is no SIGURG: Python raises `KeyboardInterrupt`
  there at the next bytecode. That does not break off a system call.

Whether the cell awaits is decided on the eval thread itself: a call on the loop can only be made
when the cell's code does not run.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ipyembed.interrupts import _RUNS_CODE, CellInterrupts

_SIGNAL: Any = getattr(signal, "SIGURG", None) if hasattr(signal, "pthread_kill") else None


class EngineInterrupts(CellInterrupts):
    """Interrupts of the cells that clients run in one shell; SIGINT is left to the host."""

    def __init__(self, shell: Any, call_soon_threadsafe: Callable[[Any], object]) -> None:
        super().__init__(shell)
        self._call_soon_threadsafe = call_soon_threadsafe
        # Guards "the cell still runs, so interrupt it" against the end of the cell. Reentrant,
        # for the signal's handler runs in the midst of whatever holds it.
        self._lock = threading.RLock()
        self._ident: int | None = None
        self._is_requested = False

    @contextmanager
    def armed(self) -> Iterator[None]:
        """While a cell runs: requests are for it. Eval thread."""
        self.cancelled = self._is_requested = False
        on_main_thread = threading.current_thread() is threading.main_thread()
        previous = signal.getsignal(_SIGNAL) if _SIGNAL and on_main_thread else None
        if previous is not None:
            signal.signal(_SIGNAL, self._handle_request)
        self._uses_signal = previous is not None
        self._previous = previous
        with self._lock:
            self._ident = threading.get_ident()
        try:
            yield
        finally:
            self._disarm(previous)

    def _disarm(self, previous: Any) -> None:
        while True:
            try:
                with self._lock:
                    ident, self._ident = self._ident, None
                    if ident is not None and not self._uses_signal:
                        _raise_in_thread(ident, None)  # one that has not arrived yet
                break
            except KeyboardInterrupt:  # it has, just now
                continue
        if previous is not None and signal.getsignal(_SIGNAL) == self._handle_request:
            signal.signal(_SIGNAL, previous)

    def request_threadsafe(self) -> None:
        """Interrupt the cell that runs, if one does."""
        with self._lock:
            if self._ident is None:
                return
            self._is_requested = True
            if self._uses_signal:
                signal.pthread_kill(self._ident, _SIGNAL)
            elif self._runs(_RUNS_CODE, sys._current_frames().get(self._ident)):
                self._is_requested = False
                _raise_in_thread(self._ident, KeyboardInterrupt)
                return
        self._call_soon_threadsafe(self._cancel_if_requested)

    def repeat_threadsafe(self) -> bool:
        """Send the signal again, if a request has not been met yet; whether that is so."""
        with self._lock:
            if self._ident is None or not self._is_requested:
                return False
            if self._uses_signal:
                signal.pthread_kill(self._ident, _SIGNAL)
            return True

    def _handle_request(self, signum: int, frame: FrameType | None) -> None:
        """On the main thread, in the midst of whatever runs there."""
        if not self._is_requested:
            if callable(self._previous):
                self._previous(signum, frame)
            return
        if self._runs(_RUNS_CODE, frame) and not self._is_critical():
            self._is_requested = False
            raise KeyboardInterrupt

    def _cancel_if_requested(self) -> None:
        """On the eval thread, called by its loop."""
        if self._is_requested:
            self._is_requested = False
            self.cancel_what_it_awaits()

    def cancel_what_it_awaits(self) -> None:
        """Cancel now. On the eval thread, and not by the cell itself."""
        if self._cancel is not None:
            self.cancelled = True
            self._cancel()


def _raise_in_thread(ident: int, error: type[BaseException] | None) -> None:
    """CPython 3.11 to 3.13: have `error` raised in a thread at its next bytecode; None: not."""
    api: Any = getattr(ctypes, "pythonapi", None)
    if api is not None:
        api.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(ident), None if error is None else ctypes.py_object(error)
        )
