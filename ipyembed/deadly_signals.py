"""SIGTERM and SIGHUP while a prompt has the terminal: the host ends as without us, but in order.

Goal: where the host has no handler, the signal ends the process, and the terminal is as found.

What does not work: to leave the default action alone (the terminal stays raw); a handler of
Python's (it is not called while the main thread is stuck, and the host could see it).

What we do: while the terminal is raw, `faulthandler` has a handler in C for these signals, which
tells a thread of ours by a pipe. The thread has the prompt taken down, puts the default action back
and sends the signal once more. A host that has a handler of its own is left alone.
"""

from __future__ import annotations

import os
import selectors
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ipyembed.sigint_in_c import c_handlers

PATIENCE = 2.0
"""Seconds that the prompt may take to give the terminal back; then the process ends without."""

_NUMBERS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class DeadlySignals:
    """These signals, for one shell. The thread is made at the first prompt, and ends with `close`.

    On the prompt thread, but for `close()`.
    """

    def __init__(self) -> None:
        self._files: dict[int, Any] = {}
        self._thread: threading.Thread | None = None
        self._is_free = threading.Event()
        self._take_down_threadsafe: Callable[[], object] | None = None

    @contextmanager
    def deferred(self, take_down_threadsafe: Callable[[], object]) -> Iterator[None]:
        """While the terminal is raw: `take_down_threadsafe()` has this block left soon."""
        handlers = c_handlers()
        if handlers is None:
            yield
            return
        if self._thread is None:
            self._start()
        self._take_down_threadsafe = take_down_threadsafe
        self._is_free.clear()
        ours = [number for number in _NUMBERS if signal.getsignal(number) == signal.SIG_DFL]
        for number in ours:
            handlers.register(number, self._files[number], all_threads=False, chain=False)
        try:
            yield
        finally:
            self._take_down_threadsafe = None
            for number in ours:
                # If the host has set a handler meanwhile, ours is gone, and what was there before
                # that is not to come back.
                if signal.getsignal(number) == signal.SIG_DFL:
                    handlers.unregister(number)
            self._is_free.set()

    def _start(self) -> None:
        selector = selectors.DefaultSelector()
        for number in _NUMBERS:
            readable, writable = os.pipe()
            os.set_blocking(writable, False)
            self._files[number] = os.fdopen(writable, "wb", buffering=0)
            selector.register(readable, selectors.EVENT_READ, number)
        self._thread = threading.Thread(
            target=self._run, args=(selector,), name="ipyembed-ending", daemon=True
        )
        self._thread.start()

    def _run(self, selector: selectors.BaseSelector) -> None:
        while True:
            for key, _ in selector.select():
                if os.read(key.fd, 65536):
                    self._end(key.data)
                    continue
                for end in list(selector.get_map().values()):
                    os.close(end.fd)
                selector.close()
                return

    def _end(self, number: int) -> None:
        take_down = self._take_down_threadsafe
        if take_down is not None:
            take_down()
            if not self._is_free.wait(PATIENCE):
                c_handlers().unregister(number)
        os.kill(os.getpid(), number)

    def close(self) -> None:
        """End the thread. No prompt is up."""
        if self._thread is not None:
            for file in self._files.values():
                file.close()
            self._thread.join()
            self._thread = None
            self._files = {}
