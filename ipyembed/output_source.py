"""The side of a pty from which is read what others have written into it.

At most `MOST_UNWRITTEN` bytes are held outside of the pty. When that is full, its writers wait.
Everything here is done under the lock of the pump.
"""

from __future__ import annotations

import errno
import os
import time

from ipyembed.output_cursor import unfinished
from ipyembed.output_descriptors import close_if, identity

MOST_UNWRITTEN = 1024 * 1024
"""Bytes that are held outside of the pty, at most: room for a sequence that is long, a picture."""
ENOUGH = 128 * 1024
"""Bytes that are written without waiting for more."""
LINE_WAITS = 0.01
"""Seconds that half a line waits for its other half: `print` may write it in several pieces."""
SEQUENCE_WAITS = 0.05
"""Seconds that half a sequence or character waits, and where no prompt is up half a line."""


class Source:
    """One pty, and what has been read from it and not yet been written to the terminal."""

    def __init__(self, master: int, probe: int) -> None:
        """`probe`: a non-blocking descriptor of the other side."""
        self.master = master
        self.probe = probe
        self.text = bytearray()
        """What has been read, and is still to be written."""
        self.last_read = 0.0
        """When something was."""
        self._master_is = identity(master)
        self._half_since: float | None = None

    def read(self, most: int) -> bool:
        """Read what is there, up to about `most` bytes; whether more may come."""
        most = min(most, MOST_UNWRITTEN - len(self.text))
        while most > 0:
            try:
                data = os.read(self.master, most)
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                data = b""  # Linux says so: all have closed the other side
            if not data:
                return False
            self.text += data
            self.last_read = time.monotonic()
            most -= len(data)
        return True

    def take(self, length: int | None = None) -> bytes:
        """What has been read, of that length at most; it counts as written."""
        if length is None:
            length = len(self.text)
        data = bytes(self.text[:length])
        del self.text[:length]
        self._half_since = None
        return data

    @property
    def has_enough(self) -> bool:
        """Whether there is so much that nothing is worth waiting for."""
        return len(self.text) >= ENOUGH

    @property
    def length_of_lines(self) -> int:
        """Of the lines that are whole; or of all, if none is."""
        return self.text.rfind(b"\n") + 1 or len(self.text)

    def length_to_write(self, is_above_prompt: bool) -> int:
        """How much of what has been read need not wait for more."""
        length = len(self.text)
        lines = self.text.rfind(b"\n") + 1
        now = time.monotonic()
        if self._half_since is None and lines < length:
            self._half_since = now
        waited = now - self._half_since if self._half_since is not None else 0.0
        if length >= MOST_UNWRITTEN or waited >= SEQUENCE_WAITS:
            return length
        if not is_above_prompt or waited < LINE_WAITS:
            return lines
        return length - unfinished(bytes(self.text))

    def end_line(self) -> None:
        """What comes next begins on a line of its own."""
        if self.text and not self.text.endswith(b"\n"):
            self.text += b"\n"

    def is_being_written(self) -> bool:
        """Whether somebody is in the midst of a write into the pty."""
        # Linux: who writes to a terminal holds its lock until all is written; anybody else's write
        # would block, even of nothing. Other systems say nothing here, and lose nothing by it.
        try:
            os.write(self.probe, b"")
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Close the side that is read."""
        close_if(self.master, self._master_is)
