"""Taking SIGINT from the host for a shell that is not on the main thread.

Goal: Ctrl-C ends the cell on the worker thread, and the main thread hears nothing.

What does not work: Python sets and calls handlers on the main thread only. What another thread can
have the main thread do (`Py_AddPendingCall`) waits as long as that blocks in a system call. Ctrl-C
as a key (ISIG off) would be taken from child processes, and from `input()`.

What we do: `faulthandler` can set a handler in C from any thread, which writes to a file, and puts
back exactly what was there, flags of the system included. Nothing of Python's sees the signal: no
handler is called, the wakeup fd is not written to, and `signal.getsignal()` tells the host's
handler all the time. A thread reads the file, and raises the exception in the worker.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any


def is_available() -> bool:
    """Whether this system and Python can do so."""
    return c_handlers() is not None and _raise_in_thread() is not None


class SigintElsewhere:
    """As `sigint.Sigint`, for the thread that makes it. Its methods run on that thread."""

    previous: Any = None

    def __init__(self, handle: Callable[[FrameType | None], object]) -> None:
        """`handle` is called on a thread of ours with the frame that the thread is in."""
        self._handle_frame = handle
        self._ident = threading.get_ident()
        self.wake_threadsafe: Callable[[], object] | None = None
        self.unnoticed_threadsafe: Callable[[], object] | None = None
        self.is_taken = False
        self._reader: _Reader | None = None

    def take(self) -> None:
        """Take it, unless that has been done."""
        handlers = c_handlers()
        if self.is_taken or handlers is None:
            return
        if self._reader is None:
            self._reader = _Reader(self._arrived_threadsafe)
        handlers.register(signal.SIGINT, self._reader.file, all_threads=False, chain=False)
        self.is_taken = True

    def give_back(self) -> None:
        """Put back what was there."""
        handlers = c_handlers()
        if self.is_taken and handlers is not None:
            self.is_taken = False
            handlers.unregister(signal.SIGINT)

    def close(self) -> None:
        """Give it back for good."""
        self.give_back()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def in_a_moment(self, _: Callable[[FrameType | None], object]) -> bool:
        """See `Sigint`; never."""
        return False

    def _arrived_threadsafe(self) -> None:
        self._handle_frame(sys._current_frames().get(self._ident))

    def raise_threadsafe(self, kind: type[BaseException] | None) -> None:
        """Raise it in the thread, at its next bytecode; None: take back one not raised yet."""
        raise_in_thread = _raise_in_thread()
        if raise_in_thread is not None:
            raise_in_thread(self._ident, kind)


class _Reader:
    """The thread that hears of the signal."""

    def __init__(self, arrived: Callable[[], object]) -> None:
        self._arrived = arrived
        self._ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        self.file = os.fdopen(theirs, "wb", buffering=0)
        self._thread = threading.Thread(target=self._run, name="ipyembed-signals", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while text := os.read(self._ours, 65536):
            if _FIRST_LINE in text:
                self._arrived()

    def close(self) -> None:
        with suppress(OSError):
            self.file.close()
        self._thread.join()
        os.close(self._ours)


# Python 3.11 to 3.13 tell where the thread is that got the signal, in many small writes.
_FIRST_LINE = b"Stack (most recent call first)"


def c_handlers() -> Any:
    """The module `faulthandler`, where it can set handlers."""
    try:
        import faulthandler
    except ImportError:
        return None
    return faulthandler if hasattr(faulthandler, "register") else None  # Windows has it not


def _raise_in_thread() -> Callable[[int, type[BaseException] | None], object] | None:
    """CPython's `PyThreadState_SetAsyncExc`."""
    try:
        import ctypes

        function = ctypes.pythonapi.PyThreadState_SetAsyncExc
    except (ImportError, AttributeError):
        return None

    def raise_in_thread(ident: int, kind: type[BaseException] | None) -> None:
        function(ctypes.c_ulong(ident), ctypes.py_object(kind) if kind is not None else None)

    return raise_in_thread
