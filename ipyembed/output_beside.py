"""What others print while a child process has the terminal: a pager, an editor, ``!cmd``.

Beside a command that just prints, it comes line by line, as in any shell. A program that has the
whole screen would have its picture spoilt. Such a program takes the terminal out of the mode in
which lines are typed; so as long as it is out of that, what others print is kept, and shown when
the program has ended or the terminal is in that mode again.

What is kept goes to a file once it is large. So nobody who prints has to wait for a person to leave
a pager, least of all the host's loop.
"""

from __future__ import annotations

import tempfile
import time
from typing import IO

try:
    import termios
except ImportError:  # Windows, where output is caught in another way
    termios = None  # type: ignore[assignment]

from ipyembed.output_screen import TerminalStream

MOST_IN_MEMORY = 1024 * 1024
"""Bytes that are kept in memory; more go to a file."""
MOST_KEPT = 1024 * 1024 * 1024
"""Bytes that are kept at all; more comes onto the screen that the program has, as without us."""
SETTLED = 0.1
"""Seconds for which the terminal has to be in the mode for lines: a program that leaves may set the
mode first, and only then go off its screen."""
CHUNK = 64 * 1024


class BesideChild:
    """For the time of one child. Any thread, under the lock of the pump."""

    def __init__(self, terminal: TerminalStream) -> None:
        self._terminal = terminal
        self._kept: IO[bytes] | None = None
        self._length = 0
        self._was_raw = False
        self._lines_since: float | None = None

    @property
    def has_kept(self) -> bool:
        """Whether something is still to be shown."""
        return self._kept is not None

    def write(self, data: bytes) -> None:
        """Show it, or keep it."""
        self.look()
        if not self._was_raw and self._kept is None:
            self._terminal.write_bytes(data)
            return
        try:
            self._keep(data)
        except OSError:  # no room for it on the disk
            self._terminal.write_bytes(data)

    def _keep(self, data: bytes) -> None:
        if self._length + len(data) > MOST_KEPT:
            raise OSError
        if self._kept is None:
            self._kept = tempfile.SpooledTemporaryFile(MOST_IN_MEMORY)  # noqa: SIM115
        self._kept.seek(0, 2)
        self._kept.write(data)
        self._length += len(data)

    def look(self) -> None:
        """Show what is kept, if the program has left the screen."""
        if self._is_in_line_mode():
            now = time.monotonic()
            self._lines_since = self._lines_since or now
            if self._was_raw and now - self._lines_since >= SETTLED:
                self._was_raw = False
                self.show()
        else:
            self._was_raw, self._lines_since = True, None

    def _is_in_line_mode(self) -> bool:
        try:
            return bool(termios.tcgetattr(self._terminal.fileno())[3] & termios.ICANON)
        except termios.error:  # the terminal is gone
            return True

    def show(self) -> None:
        """Show what is kept. The child has ended, or is off the screen."""
        kept, self._kept, self._length = self._kept, None, 0
        if kept is not None:
            with kept:
                kept.seek(0)
                while data := kept.read(CHUNK):
                    self._terminal.write_bytes(data)
