"""SIGINT handled in C: no code of Python's sees it.

`faulthandler` can set such a handler from any thread. It writes to a file, and puts back exactly
what was there, flags of the system included. No handler of Python's is called, the wakeup fd is not
written to, and `signal.getsignal()` tells the host's handler all the time.

Two of us use it: a shell on a worker thread, in its cells (`sigint_elsewhere`), and a prompt that
is out of raw mode for a moment (`cooked`), which goes before. And the main thread may set Python's
handler just then; that would take the place of the one in C, so it is done around that.
"""

from __future__ import annotations

import signal
import threading
from typing import Any


def c_handlers() -> Any:
    """The module `faulthandler`, where it can set handlers."""
    try:
        import faulthandler
    except ImportError:
        return None
    return faulthandler if hasattr(faulthandler, "register") else None  # Windows has it not


class SigintInC:
    """The process's handler in C for SIGINT. Its methods may be called on any thread."""

    def __init__(self) -> None:
        # Guards the files, and that the handler is as they say: three threads may change both.
        # Never held by a signal handler.
        self._lock = threading.Lock()
        self._files: list[tuple[bool, Any]] = []

    def write_to(self, file: Any, goes_before: bool = False) -> None:
        """From now on SIGINT is written to `file`, or to one that `goes_before`."""
        with self._lock:
            self._files.append((goes_before, file))
            self._register()

    def write_no_more_to(self, file: Any) -> None:
        """The opposite."""
        with self._lock:
            self._files = [entry for entry in self._files if entry[1] is not file]
            self._register()

    def set_pythons(self, handler: Any) -> None:
        """Set Python's handler, to be called when there is none in C. Main thread."""
        if c_handlers() is None:
            signal.signal(signal.SIGINT, handler)
            return
        # One that comes between the two is for the one in C.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with self._lock:
                if self._files:
                    c_handlers().unregister(signal.SIGINT)
                try:
                    signal.signal(signal.SIGINT, handler)
                finally:
                    if self._files:
                        self._register()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _register(self) -> None:
        if self._files:
            _, file = max(reversed(self._files), key=lambda entry: entry[0])
            c_handlers().register(signal.SIGINT, file, all_threads=False, chain=False)
        else:
            c_handlers().unregister(signal.SIGINT)


sigint_in_c = SigintInC()
"""The process's only one."""
