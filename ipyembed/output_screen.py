"""The real terminal, and how text gets onto it above a prompt.

Erasing the prompt, the text, and drawing the prompt again below go to the terminal in one write:
the prompt does not flicker, and nobody else's bytes come between.

prompt_toolkit's `run_in_terminal` is not used for this: it puts the terminal into cooked mode for
the time, in which the terminal echoes what is typed and prompt_toolkit then draws it once more.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Point, Size

from ipyembed.output_cursor import Cursor

CAUGHT_LESS = "output is caught at sys.stdout and sys.stderr only"
"""What is said, with a reason, when the policy `fd` falls back to `sys`."""


class TerminalStream:
    """The real terminal by a descriptor of our own, with what prompt_toolkit wants of a stream.

    Any thread may write. `lock` is held for each write, and by whoever writes several things that
    belong together.
    """

    errors = "replace"

    def __init__(self, fd: int, encoding: str = "utf-8") -> None:
        self._fd = fd
        self.encoding = encoding
        self.buffer = _Bytes(self)
        self.lock = threading.RLock()
        self._held: bytearray | None = None
        self.drawn: Callable[[bytes], tuple[bytes, Callable[[], object] | None]]
        self.drawn = lambda data: (data, None)
        """Called when prompt_toolkit writes something, on the prompt thread, under the lock.
        Returns what is written instead, and what is to be done afterwards without the lock."""

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Whether the terminal is still there."""
        return os.isatty(self._fd)

    def write(self, text: str) -> int:
        """As of any text stream; nothing is buffered."""
        self.write_bytes(text.encode(self.encoding, self.errors))
        return len(text)

    def flush(self) -> None:
        """Nothing is buffered."""

    def write_bytes(self, data: bytes) -> None:
        """All of `data`, whatever mode the terminal is in. Raises OSError when it is gone."""
        with self.lock:
            if self._held is not None:
                self._held += data
            elif data:
                write_all(self._fd, data)

    @contextmanager
    def in_one_write(self) -> Iterator[None]:
        """What the block writes goes out at its end. The lock is not held meanwhile."""
        self._held = bytearray()
        try:
            yield
        finally:
            with self.lock:
                held, self._held = self._held, None
                write_all(self._fd, held)

    def write_held(self) -> None:
        """Do not wait for the end of the block."""
        with self.lock:
            if self._held:
                held, self._held = self._held, bytearray()
                write_all(self._fd, held)

    def get_size(self) -> Size:
        """As of prompt_toolkit's outputs."""
        try:
            columns, rows = os.get_terminal_size(self._fd)
        except OSError:
            columns = rows = 0
        return Size(rows=rows or 24, columns=columns or 80)


class _Bytes:
    """The binary side of a `TerminalStream`."""

    def __init__(self, stream: TerminalStream) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        with self._stream.lock:
            instead, then = self._stream.drawn(data)
            self._stream.write_bytes(instead)
        if then is not None:
            then()
        return len(data)


def write_all(fd: int, data: bytes | bytearray) -> None:
    """Write all of `data`, also where another user of the terminal has made it non-blocking."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:
            wait_writable(fd)
        except InterruptedError:
            pass


def wait_writable(fd: int) -> None:
    """Wait until the terminal takes something."""
    ready = select.poll()
    ready.register(fd, select.POLLOUT)
    ready.poll()


class AbovePrompt:
    """Writes above the prompt that is up. Runs on the prompt thread, but for two."""

    def __init__(self, write: Callable[[bytes], None], get_size: Callable[[], Size]) -> None:
        """`write` writes to the terminal."""
        self._write = write
        self._get_size = get_size
        self.cursor = Cursor()
        self._drawn_at: Size | None = None

    def begin(self) -> None:
        """A prompt is about to be drawn, on a row of its own."""
        # Somebody may have left half a line there, which the prompt would overwrite. So many blanks
        # reach the next row then, and else stay on this one.
        self._write(b" " * self._get_size().columns + b"\r")
        self.new_line()

    def new_line(self) -> None:
        """The next text begins on a row of its own."""
        self.cursor.new_line()
        self._drawn_at = None

    def write_text(self, app: Application[Any] | None, data: bytes) -> None:
        """Erase the prompt and write `data`; `redraw` belongs behind it. Calls no user code."""
        size = self._get_size()
        cursor = self.cursor
        if self._drawn_at != size:  # rows have been wrapped anew
            cursor.new_line()
            self._drawn_at = size
        was_new = cursor.is_on_new_line
        height = 0
        if app is not None:
            # prompt_toolkit 3.0.50 to 3.0.53: private; the rows from the prompt to the bottom of
            # the screen. Without it, the prompt does not know them until the next one.
            height = getattr(app.renderer, "_min_available_height", 0)
            app.renderer.erase()
        begin = cursor.to_text()
        cursor.follow(data, size.columns)
        self._write(begin + data + cursor.to_prompt())
        if app is not None and height > 0:
            rows = _rows(data, size.columns) + was_new - cursor.is_on_new_line
            app.renderer._min_available_height = max(1, height - rows)

    @staticmethod
    def redraw(app: Application[Any]) -> None:
        """Draw the prompt again. Calls the user's code."""
        # prompt_toolkit 3.0.50 to 3.0.53: private; without it the prompt is gone for a moment.
        redraw = getattr(app, "_redraw", app.invalidate)
        redraw()

    @staticmethod
    def erase_sequence(app: Application[Any] | None) -> bytes:
        """What erases the prompt as it was last drawn. Any thread."""
        position = getattr(getattr(app, "renderer", None), "_cursor_pos", None)
        if position is None:
            return b"\r\n"
        up = b"\x1b[%dA" % position.y if position.y else b""
        return b"\r" + up + b"\x1b[J\x1b[0m\x1b[?7h"

    @staticmethod
    def is_finally_drawn(app: Application[Any]) -> bool:
        """Whether what has been drawn last is the prompt with its answer: the cursor is below."""
        screen = app.renderer.last_rendered_screen
        position = getattr(app.renderer, "_cursor_pos", None)
        if screen is None or position is None:
            return False
        return bool(position.y >= min(screen.height, app.output.get_size().rows))

    @staticmethod
    def forget_drawn(app: Application[Any]) -> None:
        """`erase_sequence` has been written: the prompt is drawn as a whole the next time, from
        where the cursor is then. Any thread, while the prompt thread is busy with other things."""
        # Not `Renderer.reset()`, which writes: the prompt thread may be in the midst of drawing.
        # prompt_toolkit 3.0.50 to 3.0.53: private; else it would draw over rows above the prompt.
        renderer: Any = app.renderer
        renderer._cursor_pos = Point(x=0, y=0)
        renderer._last_screen = None


def _rows(data: bytes, width: int) -> int:
    """By how many rows `data` moves the cursor down, at most."""
    lines = data.replace(b"\r", b"\n").split(b"\n")
    return data.count(b"\n") + sum((len(line) - 1) // width for line in lines if line)
