"""The prompt loop reads the pty, and says when what it has read is written.

The first text after a pause is written at once. In a flood the prompt is drawn again only so often,
because that costs more than the text, and the keys get their turn in between.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ipyembed.output_source import LINE_WAITS

if TYPE_CHECKING:
    from ipyembed.output_pump import Pump

MOST_A_TURN = 64 * 1024
"""Bytes that are read before the prompt loop gets to the keys again."""
BETWEEN_DRAWS = 0.02
"""Seconds between two redraws of the prompt for the sake of output; the first one is at once."""
CPR_PATIENCE = 0.1
"""Seconds that text waits for the terminal to tell a new prompt where it is."""
BETWEEN_LOOKS = 0.1
"""Seconds between two looks, whether what is kept beside a child can be shown."""
GOODBYE = 1.0
"""Seconds that closing waits for the prompt loop to read no more."""


class Reader:
    """For one pump. Everything runs on the prompt thread, but for what says so."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self.turns = 0
        """Changes whenever it reads; the stand-in compares."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_reading = False
        self._emission: asyncio.TimerHandle | None = None
        self._next_draw = 0.0
        self._cpr_deadline = 0.0

    def begin(self) -> None:
        """A prompt is about to be drawn, or none is up any more. Any thread, under the lock."""
        self._next_draw = 0.0
        self._cpr_deadline = time.monotonic() + CPR_PATIENCE

    def listen(self, wanted: bool) -> None:
        """Have the running loop read, or not."""
        loop, master = asyncio.get_running_loop(), self._pump.source.master
        if wanted and not (self._is_reading and loop is self._loop):
            loop.add_reader(master, self._read)
        elif not wanted and self._is_reading:
            loop.remove_reader(master)
        self._loop, self._is_reading = loop, wanted

    def call_threadsafe(self, callback: Callable[[], object]) -> bool:
        """Have it called on the prompt loop, from any thread; whether there is one."""
        if self._loop is None or self._loop.is_closed():
            return False
        self._loop.call_soon_threadsafe(callback)
        return True

    def stop_listening(self) -> None:
        """As `listen(False)`."""
        if self._loop is not None and self._is_reading:
            self._loop.remove_reader(self._pump.source.master)
            self._is_reading = False

    def close(self) -> None:
        """Read no more, for ever. Any other thread; blocks until it is so."""
        removed = threading.Event()

        def remove() -> None:
            self.stop_listening()
            if self._emission is not None:
                self._emission.cancel()
            removed.set()

        if self.call_threadsafe(remove):
            removed.wait(GOODBYE)
        self._loop = None

    # -- when to write ---------------------------------------------------------------------------

    def _read(self) -> None:
        pump = self._pump
        self.turns += 1
        try:
            with pump.lock:
                pump.source.read(MOST_A_TURN)
            now = time.monotonic()
            if now >= self._next_draw or pump.source.has_enough:
                self._emit()
            elif pump.source.text:
                self._emit_later(self._next_draw - now)
        except Exception as error:
            pump.fail_unless_closing(error)
        self.turns += 1

    def _emit_later(self, seconds: float) -> None:
        assert self._loop is not None
        if self._emission is None:
            self._emission = self._loop.call_later(seconds, self.emit)

    def emit(self) -> None:
        """Write what has been read, but for a half that still waits for its other half."""
        self._emission = None
        try:
            self._emit()
        except Exception as error:
            self._pump.fail_unless_closing(error)

    def _emit(self) -> None:
        pump = self._pump
        if self._emission is not None:
            self._emission.cancel()
            self._emission = None
        if pump.is_resting:
            return
        app = pump.app
        if app is not None:
            is_new = time.monotonic() < self._cpr_deadline
            if app.renderer.waiting_for_cpr and is_new and not pump.source.has_enough:
                self._emit_later(0.002)  # the answer is about the place before this text
                return
            if pump.write_above(app):
                self._next_draw = time.monotonic() + BETWEEN_DRAWS
        else:
            pump.write_unwritten(None)
        if pump.source.text:
            self._emit_later(LINE_WAITS)
        elif pump.keeps_beside_child():
            self._emit_later(BETWEEN_LOOKS)
