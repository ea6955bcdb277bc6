"""From the pty to the terminal: above the prompt that is up, or straight where none is.

Invariants:

- one thread at a time reads the pty and writes what it has read, under the lock, so the order is
  that of the pty. The user's code never runs under it;
- what is held outside of the pty is bounded (`output_source`).

The prompt loop reads; while it cannot, the stand-in does (`output_stand_in`).

What does not work: a thread that always reads and hands over. Each line then costs two switches of
threads, and each of them up to 5 ms where the host keeps the GIL busy.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from prompt_toolkit.utils import is_dumb_terminal

from ipyembed.output_beside import BesideChild
from ipyembed.output_descriptors import Moves
from ipyembed.output_reader import Reader
from ipyembed.output_screen import AbovePrompt, TerminalStream
from ipyembed.output_source import ENOUGH, MOST_UNWRITTEN, Source
from ipyembed.output_stand_in import StandIn, hand_over
from ipyembed.output_switch import OneSwitch

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.application.current import AppSession

MODES = re.compile(rb"\x1b\[\?[\d;]*[hl]")
"""What switches a mode of the terminal on or off."""
IN_FLIGHT = 0.02
"""Seconds that a write which has begun may take to end when the descriptors are led home."""
BUSY = 5.0
"""Seconds after some text in which more of it may be under way at any moment."""


class Pump:
    """Reads one pty.

    ================  =================  ==========================================
    state             set by             what is read goes
    ================  =================  ==========================================
    no prompt         `serve(None)`      straight to the terminal
    a prompt is up    `serve(session)`   above the prompt
    a child is up     `serve_child()`    to the terminal, or is kept for a while
    resting           `rest()`           nowhere: who writes to the pty waits
    ================  =================  ==========================================
    """

    def __init__(
        self, terminal: TerminalStream, master: int, probe: int, fail: Callable[[str], None]
    ) -> None:
        """`probe`: a non-blocking descriptor of the other side. `fail`: told what has failed."""
        self.terminal = terminal
        self.source = Source(master, probe)
        self.is_resting = False
        self._tell_failure = fail
        self._above = AbovePrompt(terminal.write_bytes, terminal.get_size)
        self._beside: BesideChild | None = None
        self._session: AppSession | None = None
        self._is_dumb = False
        self._has_failed = False
        self._on_screen: Any = None  # what of the prompt has been written, not only computed
        self._is_erased = False  # by the stand-in, and has not been drawn again
        terminal.drawn = self._drawn
        self._switch = OneSwitch(master, probe, terminal.fileno())
        self._is_closed = False
        self._reader = Reader(self)
        self._stand_in = StandIn(self)

    @property
    def lock(self) -> threading.RLock:
        """Held by who reads the pty or changes where what is read goes."""
        return self.terminal.lock

    # -- where it goes, under the lock -----------------------------------------------------------

    def serve(self, session: AppSession | None) -> None:
        """What is read from now on goes above the prompt of `session`, or straight."""
        if self._beside is not None:
            self._end_child(self._beside)
        self._session = session
        self.is_resting = self._is_erased = False
        self._is_dumb = is_dumb_terminal()  # nothing but text may be written to it
        if session is not None and not self._is_dumb:
            self._above.begin()
        self._reader.begin()

    def serve_child(self) -> None:
        """From now on a child process has the terminal."""
        self.serve(None)
        self._beside = BesideChild(self.terminal)

    def _end_child(self, beside: BesideChild) -> None:
        with suppress(OSError):  # the pty or the terminal is gone: others will say so
            self.source.read(MOST_UNWRITTEN)
            self.flush()
            beside.show()
        self._beside = None

    def rest(self) -> None:
        """Nothing is read from now on."""
        self.is_resting = True

    def listen_in_prompt_thread(self) -> None:
        """Have the running loop read, unless resting."""
        self._reader.listen(not (self.is_resting or self._has_failed or self._stand_in.is_closing))

    @property
    def turns(self) -> int:
        """Of the prompt loop; the stand-in compares."""
        return self._reader.turns

    @property
    def is_in_line(self) -> bool:
        """Whether what was printed last is half a line."""
        with self.lock:
            if self.source.text:
                return not self.source.text.endswith(b"\n")
            return not self._above.cursor.is_on_new_line

    def write(self, text: str) -> None:
        """Text of ours, on a row of its own, in its place among what is printed; any thread."""
        with self.lock:
            if self.is_in_line:
                self.source.text += b"\n"
            self.source.text += text.encode(self.terminal.encoding, "replace")
            if self._session is None or not self._reader.call_threadsafe(self._reader.emit):
                self.flush()

    def fail(self, text: str) -> None:
        """The prompt loop reads no more, the stand-in does; write what is there and `text`."""
        with self.lock:
            self._has_failed = True
            with suppress(OSError):
                self.source.read(MOST_UNWRITTEN)
            self.source.end_line()
            self._reader.call_threadsafe(self._reader.stop_listening)
            self.source.text += text.encode(self.terminal.encoding, "replace")
            self.write_in_place_of_prompt_loop(at_once=True)

    # -- writing ---------------------------------------------------------------------------------

    @property
    def app(self) -> Application[Any] | None:
        """The application that is on the screen now."""
        session = self._session
        app = session.app if session is not None and not self._is_dumb else None
        return app if app is not None and app.is_running else None

    def write_above(self, app: Application[Any]) -> bool:
        """What need not wait, and the prompt below it, in one write. Prompt thread.

        Returns whether there was anything.
        """
        with self.terminal.in_one_write():
            is_drawn = app.renderer.last_rendered_screen is not None
            if not self.write_unwritten(app):
                return False
            if is_drawn:
                self._above.redraw(app)
            return True

    def write_unwritten(self, app: Application[Any] | None) -> bool:
        """What need not wait. Returns whether there was anything."""
        with self.lock:
            length = self.source.length_to_write(is_above_prompt=self._session is not None)
            if not length:
                return False
            data = bytes(self.source.text[:length])
            if self._session is None or self._is_dumb:
                self._write_straight(data)
            else:
                self._above.write_text(app, data)
            self.source.take(length)
            return True

    def keeps_beside_child(self) -> bool:
        """Whether something is kept that is to be shown when a child has left the screen."""
        with self.lock:
            beside = self._beside
            if beside is not None and beside.has_kept:
                beside.look()
            return beside is not None and beside.has_kept

    def _write_straight(self, data: bytes) -> None:
        if self._beside is None:
            self.terminal.write_bytes(data)
        else:
            self._beside.write(data)

    # -- the stand-in reads, under the lock ------------------------------------------------------

    def write_in_place_of_prompt_loop(self, at_once: bool = False) -> bool:
        """Any thread. The prompt is drawn again when its loop is back. Returns whether it could."""
        if self._session is None or self._is_dumb:
            self.flush()
            return True
        app = self.app
        screen = app.renderer.last_rendered_screen if app is not None else None
        if app is not None and screen is not None:
            if screen is not self._on_screen and not at_once:
                # The prompt thread is about to write what it takes for drawn. It runs no code of
                # the user's now, and needs only the lock.
                return False
            erase = self._above.erase_sequence(app)
            self._above.forget_drawn(app)  # before anything that lets the prompt thread go on
            self.terminal.write_held()
            self.terminal.write_bytes(erase)
            self._above.new_line()
            self._on_screen, self._is_erased = None, True
            self._reader.call_threadsafe(self._redraw_erased)
        self._above.write_text(None, self.source.take(self.source.length_of_lines))
        return True

    def _drawn(self, data: bytes) -> tuple[bytes, Callable[[], object] | None]:
        """See `TerminalStream.drawn`."""
        app = self.app
        screen = app.renderer.last_rendered_screen if app is not None else None
        self._on_screen = screen
        if app is None or screen is None or not self._is_erased:
            return data, None
        # It may be changes to what was there before the stand-in has erased it; then they would go
        # to rows above. So only the modes of the terminal are set, and all is drawn once more.
        self._is_erased = False
        is_done = self._above.is_finally_drawn(app)
        self._above.forget_drawn(app)
        self._on_screen = None
        return b"".join(MODES.findall(data)), partial(
            app.renderer.render, app, app.layout, is_done=is_done
        )

    def _redraw_erased(self) -> None:
        app = self.app
        if app is not None and not self.is_resting and app.renderer.last_rendered_screen is None:
            self._above.redraw(app)

    # -- any thread reads, under the lock --------------------------------------------------------

    def flush(self) -> None:
        """Write what has been read, as where no prompt is up."""
        if self.source.text:
            self._write_straight(self.source.take())

    def forward(self, in_flight: bool = False) -> bool:
        """Read what is there and write it straight to the terminal; whether more may come.

        `in_flight`: also what the pty is being filled with by writes that have already begun.
        Raises OSError when the pty or the terminal is gone.
        """
        deadline = time.monotonic() + IN_FLIGHT
        while True:
            is_busy = in_flight and self.source.is_being_written()
            more = self.source.read(MOST_UNWRITTEN)
            self.flush()
            if not is_busy or time.monotonic() > deadline:
                return more

    def switch(self, moves: Moves) -> None:
        """Lead descriptors away from the pty, and write what they have written into it before.

        Raises OSError if one could not be moved. Under the lock.
        """
        self.source.read(ENOUGH)
        is_busy = time.monotonic() - self.source.last_read < BUSY
        self.flush()
        if is_busy and (switch := self._switch.get()):
            switch.move(moves)
        else:
            self.forward()
            for source, fd in moves:
                os.dup2(source, fd)
        self.forward(in_flight=True)

    # -- endings ---------------------------------------------------------------------------------

    def fail_unless_closing(self, error: Exception) -> None:
        """Any thread; not under the lock."""
        if not self._stand_in.is_closing:
            self._tell_failure(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """The descriptors are home, and our side of the pty is closed: nothing of ours comes.

        The stand-in forwards what others write, and closes what is left when all have closed it.
        """
        self._stand_in.close()
        self._reader.close()
        more = False
        with self.lock, suppress(OSError):
            more = self.forward()
        if not more:
            self._stand_in.join()
        if not self.is_forwarding:
            self.close_descriptors()

    def close_descriptors(self) -> None:
        """Nobody can write into the pty any more."""
        with self.lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._switch.close()
            self.source.close()
            os.close(self.terminal.fileno())

    @property
    def is_forwarding(self) -> bool:
        """Whether somebody can still write into the pty, after `close()`."""
        return self._stand_in.is_alive

    def hand_over(self) -> None:
        """At the end of the process: another one goes on with what the stand-in does."""
        with self.lock:
            if self.is_forwarding:
                hand_over(self.source.master, self.terminal.fileno())
