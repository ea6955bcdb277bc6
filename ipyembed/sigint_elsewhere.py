"""Taking SIGINT from the host for a shell that is not on the main thread.

Goal: Ctrl-C ends the cell on the worker thread, and the main thread hears nothing.

What does not work: Python sets and calls handlers on the main thread only. What another thread can
have the main thread do (`Py_AddPendingCall`) waits as long as that blocks in a system call. Ctrl-C
as a key (ISIG off) would be taken from child processes, and from `input()`.

What we do: a handler in C has it (`sigint_in_c`), of which nothing of Python's hears. A thread
reads what that writes, and raises the exception in the worker.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from ipyembed.sigint_in_c import c_handlers, sigint_in_c


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
        self._reader: SignalReader | None = None

    def take(self) -> None:
        """Take it, unless that has been done."""
        if self.is_taken or c_handlers() is None:
            return
        if self._reader is None:
            self._reader = SignalReader(self._arrived_threadsafe)
        sigint_in_c.write_to(self._reader.file)
        self.is_taken = True

    def give_back(self) -> None:
        """Put back what was there."""
        if self.is_taken and self._reader is not None:
            self.is_taken = False
            sigint_in_c.write_no_more_to(self._reader.file)

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


class SignalReader:
    """The thread that hears of a signal: of what `faulthandler` has written to `file`."""

    def __init__(self, arrived: Callable[[], object], name: str = "ipyembed-signals") -> None:
        """`arrived` is called on that thread."""
        self._arrived = arrived
        self._ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        self.file = os.fdopen(theirs, "wb", buffering=0)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
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
