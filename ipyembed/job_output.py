"""What one job prints: marked with its id, by whole lines, and kept."""

from __future__ import annotations

import sys
import threading
from collections import deque

from ipyembed import routing
from ipyembed.open_line import open_line

KEPT_LINES = 1000
LONGEST = 8192
"""Characters after which a line that does not end is taken for one."""


class JobOutput:
    """The output of one job, from all its tasks and threads.

    ==============  ====================================================================
    the job is      what it prints goes on
    ==============  ====================================================================
    marked          by whole lines, each behind the mark
    not marked      as it comes: in the foreground, or where there is no prompt
    ==============  ====================================================================

    All methods may be called on any thread.
    """

    def __init__(self, mark: str, outward: routing.Sink | routing.Relay | None) -> None:
        """`outward`: the sink to which it goes on; None: the stream itself."""
        self._mark = mark
        self.outward = outward
        # Guards what is kept; never held while something is written.
        self._lock = threading.Lock()
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)
        # Lines that have not ended, by stream and thread: whole also where two threads print.
        self._begun: dict[tuple[str, int], str] = {}
        self._is_shown: set[tuple[str, int]] = set()

    @property
    def text(self) -> str:
        """The last lines."""
        with self._lock:
            lines = [*self._kept, *self._begun.values()]
        return "".join(f"{line}\n" for line in lines)

    def write(self, stream_name: str, text: str, marked: bool) -> None:
        """Take some output."""
        key = stream_name, threading.get_ident()
        with self._lock:
            was_shown = key in self._is_shown
            lines = self._take(key, text)
            if marked or key not in self._begun:
                self._is_shown.discard(key)
            else:
                self._is_shown.add(key)
        if not marked:
            self._write(stream_name, text)
        elif lines:
            if was_shown:  # its first line has begun in the foreground
                self._write(stream_name, "\n")
            self._write_lines(stream_name, "".join(map(self._marked, lines)))

    def _take(self, key: tuple[str, int], text: str) -> list[str]:
        lines = (self._begun.pop(key, "") + text).split("\n")
        rest = lines.pop()
        if len(rest) > LONGEST:
            lines.append(rest)
        elif rest:
            # What a progress bar has overwritten need not be kept.
            self._begun[key] = rest if rest.endswith("\r") else rest[rest.rfind("\r") + 1 :]
        lines = [line.rstrip("\r").rpartition("\r")[2] for line in lines]
        self._kept.extend(lines)
        return lines

    def _marked(self, line: str) -> str:
        reset = "\x1b[0m" if "\x1b[" in line else ""
        return f"{self._mark}{line}{reset}\n"

    def show_begun(self) -> None:
        """The job comes to the foreground: show lines that have not ended."""
        with self._lock:
            begun = {key: line for key, line in self._begun.items() if key not in self._is_shown}
            self._is_shown.update(begun)
        for (stream_name, _), line in begun.items():
            self._write(stream_name, line)

    def end(self, marked: bool) -> None:
        """The job has ended: so have its lines."""
        with self._lock:
            begun, self._begun = self._begun, {}
            self._kept.extend(begun.values())
            shown, self._is_shown = self._is_shown, set()
        for key, line in begun.items():
            if marked and key not in shown:
                self._write_lines(key[0], self._marked(line))

    def _write_lines(self, stream_name: str, text: str) -> None:
        if self.outward is None:
            open_line.write(stream_name, text)
        else:
            self._write(stream_name, text)

    def _write(self, stream_name: str, text: str) -> None:
        stream = getattr(sys, stream_name)
        if stream is not None:
            with routing.to(self.outward):
                stream.write(text)
