"""A line that a cell prints in parts stays whole: what jobs print comes after it.

``Out[3]: `` and the value are written one after the other, and a job on another thread may print in
between. So while a cell has begun a line, lines of jobs are held until it has ended; and if it does
not end, as that of a progress bar, for a moment only.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ipyembed.sinks import to

PATIENCE = 0.1
"""Seconds for which lines are held, or a little longer."""


class OpenLine:
    """What stands on the terminal's last row while a cell runs. From any thread."""

    def __init__(self) -> None:
        # Guards all that is here, and what is written meanwhile. Entered again by a signal handler
        # that prints. Not taken at the prompt: who prints may then have to wait for the prompt
        # thread, which prints as well.
        self.lock = threading.RLock()
        self._cells = 0
        self._is_open = False
        self._held: list[tuple[str, str]] = []
        self._held_since = 0.0
        self._timer: threading.Timer | None = None

    @property
    def is_watched(self) -> bool:
        """Whether a cell runs."""
        return self._cells > 0

    @contextmanager
    def cell(self) -> Iterator[None]:
        """While a cell runs; a prompt that comes later begins on a row of its own."""
        with self.lock:
            self._cells += 1
            self._is_open = False
        try:
            yield
        finally:
            with self.lock:
                self._release()
                self._cells -= 1

    @contextmanager
    def begun_by(self, displayhook: Any) -> Iterator[None]:
        """While a shell is open: ``Out[3]: `` begins a line, and may be written around the streams.

        IPython (9.0 to 9.18) has prompt_toolkit print it.
        """
        write, finish = displayhook.write_output_prompt, displayhook.finish_displayhook

        def write_output_prompt() -> None:
            __tracebackhide__ = True
            with self.lock:
                write()
                self._is_open = self.is_watched

        def finish_displayhook() -> None:
            __tracebackhide__ = True
            finish()
            with self.lock:
                self._is_open = False
                self._release()

        ours = {
            "write_output_prompt": write_output_prompt,
            "finish_displayhook": finish_displayhook,
        }
        vars(displayhook).update(ours)
        try:
            yield
        finally:
            for name, function in ours.items():
                if vars(displayhook).get(name) is function:
                    del vars(displayhook)[name]

    def written(self, text: str) -> None:
        """`text` has been written to the terminal, with `lock` held all the time."""
        if text:
            self._is_open = not text.endswith("\n")
            if self._held and not self._is_open:
                self._release()

    def write(self, stream_name: str, text: str) -> None:
        """Write whole lines, now or soon."""
        if not self.is_watched:
            self._write(stream_name, text)
            return
        with self.lock:
            if not self._is_open:
                self._write(stream_name, text)
                return
            if not self._held:
                self._held_since = time.monotonic()
                self._look_again()
            self._held.append((stream_name, text))

    def _look_again(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(PATIENCE, self._release_if_due)
            self._timer.daemon = True
            self._timer.start()

    def _release_if_due(self) -> None:
        with self.lock:
            self._timer = None
            if time.monotonic() - self._held_since >= PATIENCE:
                self._release()
            elif self._held:
                self._look_again()

    def _release(self) -> None:
        with self.lock:
            held, self._held = self._held, []
            for stream_name, text in held:
                self._write(stream_name, f"\n{text}" if self._is_open else text)

    @staticmethod
    def _write(stream_name: str, text: str) -> None:
        stream = getattr(sys, stream_name)
        if stream is not None:
            with to(None):
                stream.write(text)

    def forget(self) -> None:
        """In a forked child: the lock could be held for ever."""
        self.lock = threading.RLock()
        self._held = []
        self._timer = None


open_line = OpenLine()
"""The process's."""
