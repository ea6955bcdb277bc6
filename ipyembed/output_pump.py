"""From the pty to the terminal: above the prompt that is up, or straight where none is.

Invariants:

- one thread at a time reads the pty and writes what it has read, under the lock, so the order is
  that of the pty. The user's code never runs under it;
- at most `MOST_UNWRITTEN` bytes are held outside of the pty. When that is full, its writers wait.

The prompt loop reads. It cannot while user code runs on it (a `Prompts` class, a key binding), and
that code may itself print more than the pty holds. Then the stand-in reads in its place: a thread
that sleeps as long as nothing is printed. It goes on after the shell has ended, until the last
child process that has inherited the pty has closed it.

What does not work: a thread that always reads and hands over. Each line then costs two switches of
threads, and each of them up to 5 ms where the host keeps the GIL busy.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from prompt_toolkit.utils import is_dumb_terminal

from ipyembed.output_cursor import unfinished
from ipyembed.output_descriptors import Moves, close_if, identity
from ipyembed.output_screen import AbovePrompt, TerminalStream
from ipyembed.output_switch import Switch, can_be_stopped

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.application.current import AppSession

MOST_UNWRITTEN = 1024 * 1024
"""Bytes that are held outside of the pty, at most: room for a sequence that is long, a picture."""
ENOUGH = 128 * 1024
"""Bytes that are written without waiting for more."""
MOST_A_TURN = 64 * 1024
"""Bytes that are read before the prompt loop gets to the keys again."""
BETWEEN_DRAWS = 0.02
"""Seconds between two redraws of the prompt for the sake of output; the first one is at once."""
LINE_WAITS = 0.01
"""Seconds that half a line waits for its other half: `print` may write it in several pieces."""
SEQUENCE_WAITS = 0.05
"""Seconds that half a sequence or character waits, and between prompts half a line."""
CPR_PATIENCE = 0.1
"""Seconds that text waits for the terminal to tell a new prompt where it is."""
PATIENCE = 0.25
"""Seconds that text waits for the prompt loop before the stand-in takes it."""
IN_FLIGHT = 0.02
"""Seconds that a write which has begun may take to end when the descriptors are led home."""
BUSY = 5.0
"""Seconds after some text in which more of it may be under way at any moment."""
GOODBYE = 1.0
"""Seconds that closing waits for each of the threads that read the pty."""


class Pump:
    """Reads one pty.

    ================  =================  =====================================
    state             set by             what is read goes
    ================  =================  =====================================
    no prompt         `serve(None)`      straight to the terminal
    a prompt is up    `serve(session)`   above the prompt
    resting           `rest()`           nowhere: who writes to the pty waits
    ================  =================  =====================================
    """

    def __init__(
        self, terminal: TerminalStream, master: int, probe: int, fail: Callable[[str], None]
    ) -> None:
        """`probe`: a non-blocking descriptor of the other side. `fail`: told what has failed."""
        self.terminal = terminal
        self._master = master
        self._master_is = identity(master)
        self._probe = probe
        self._tell_failure = fail
        self._above = AbovePrompt(terminal.write_bytes, terminal.get_size)
        self._session: AppSession | None = None
        self._is_resting = False
        self._is_dumb = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_reading = False
        self._unwritten = bytearray()
        self._half_since: float | None = None
        self._emission: asyncio.TimerHandle | None = None
        self._next_draw = 0.0
        self._cpr_deadline = 0.0
        self._has_failed = False
        self._turns = 0  # of the prompt loop; the stand-in compares
        self._on_screen: Any = None  # what of the prompt has been written, not only computed
        terminal.drew = self._note_drawn
        self._last_read = 0.0
        self._switch: Switch | None = None
        self._has_no_switch = not can_be_stopped(master, probe)
        self._closing = threading.Event()
        self._is_closed = False
        self._stand_in = threading.Thread(
            target=self._run_stand_in, name="ipyembed-output", daemon=True
        )
        self._stand_in.start()

    @property
    def lock(self) -> threading.RLock:
        """Held by who reads the pty or changes where what is read goes."""
        return self.terminal.lock

    # -- where it goes, under the lock -----------------------------------------------------------

    def serve(self, session: AppSession | None) -> None:
        """What is read from now on goes above the prompt of `session`, or straight."""
        self._session = session
        self._is_resting = False
        self._is_dumb = is_dumb_terminal()  # nothing but text may be written to it
        if session is not None and not self._is_dumb:
            self._above.begin()
        self._next_draw = 0.0
        self._cpr_deadline = time.monotonic() + CPR_PATIENCE

    def rest(self) -> None:
        """Nothing is read from now on."""
        self._is_resting = True

    def listen_in_prompt_thread(self) -> None:
        """Have the running loop read, unless resting."""
        loop = asyncio.get_running_loop()
        wanted = not (self._is_resting or self._has_failed)
        if wanted and not (self._is_reading and loop is self._loop):
            loop.add_reader(self._master, self._read_in_prompt_thread)
        elif not wanted and self._is_reading:
            loop.remove_reader(self._master)
        self._loop, self._is_reading = loop, wanted

    @property
    def is_in_line(self) -> bool:
        """Whether what was printed last is half a line."""
        with self.lock:
            if self._unwritten:
                return not self._unwritten.endswith(b"\n")
            return not self._above.cursor.is_on_new_line

    def write(self, text: str) -> None:
        """Text of ours, on a row of its own, in its place among what is printed; any thread."""
        with self.lock:
            if self.is_in_line:
                self._unwritten += b"\n"
            self._unwritten += text.encode(self.terminal.encoding, "replace")
            if self._session is None or self._loop is None or self._loop.is_closed():
                self.flush()
            else:
                self._loop.call_soon_threadsafe(self._emit_at_last)

    def fail(self, text: str) -> None:
        """The prompt loop reads no more, the stand-in does; write what is there and `text`."""
        with self.lock:
            self._has_failed = True
            with suppress(OSError):
                self._read(MOST_UNWRITTEN)
            if self._unwritten and not self._unwritten.endswith(b"\n"):
                self._unwritten += b"\n"
            if self._loop is not None and self._is_reading and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._stop_reading)
            self._unwritten += text.encode(self.terminal.encoding, "replace")
            self._write_in_place_of_prompt_loop(at_once=True)

    def _stop_reading(self) -> None:
        if self._loop is not None and self._is_reading:
            self._loop.remove_reader(self._master)
            self._is_reading = False

    # -- the prompt loop reads -------------------------------------------------------------------

    def _read_in_prompt_thread(self) -> None:
        self._turns += 1
        try:
            with self.lock:
                self._read(MOST_A_TURN)
            self._emit_or_wait()
        except Exception as error:
            self._fail(error)
        self._turns += 1

    def _emit_or_wait(self) -> None:
        """Write now, or soon: drawing the prompt again costs more than the text."""
        now = time.monotonic()
        if now >= self._next_draw or len(self._unwritten) >= ENOUGH:
            self._emit()
        elif self._unwritten:
            self._emit_later(self._next_draw - now)

    def _emit_later(self, seconds: float) -> None:
        assert self._loop is not None
        if self._emission is None:
            self._emission = self._loop.call_later(seconds, self._emit_at_last)

    def _emit_at_last(self) -> None:
        self._emission = None
        try:
            self._emit()
        except Exception as error:
            self._fail(error)

    def _emit(self) -> None:
        """Write what has been read, but for a half that still waits for its other half."""
        if self._emission is not None:
            self._emission.cancel()
            self._emission = None
        if self._is_resting:
            return
        app = self._app()
        if app is None:
            self._write_unwritten(None)
        else:
            is_full = len(self._unwritten) >= ENOUGH
            is_new = time.monotonic() < self._cpr_deadline
            if app.renderer.waiting_for_cpr and is_new and not is_full:
                self._emit_later(0.002)  # the answer is about the place before this text
                return
            with self.terminal.in_one_write():
                is_drawn = app.renderer.last_rendered_screen is not None
                if self._write_unwritten(app):
                    if is_drawn:
                        self._above.redraw(app)
                    self._next_draw = time.monotonic() + BETWEEN_DRAWS
        if self._unwritten:
            self._emit_later(LINE_WAITS)

    def _app(self) -> Application[Any] | None:
        """The application that is on the screen now."""
        session = self._session
        app = session.app if session is not None and not self._is_dumb else None
        return app if app is not None and app.is_running else None

    def _write_unwritten(self, app: Application[Any] | None) -> bool:
        """Whether there was anything to write."""
        with self.lock:
            length = self._length_to_write()
            if not length:
                return False
            data = bytes(self._unwritten[:length])
            if self._session is None or self._is_dumb:
                self.terminal.write_bytes(data)
            else:
                self._above.write_text(app, data)
            del self._unwritten[:length]
            self._half_since = None
            return True

    def _length_to_write(self) -> int:
        """How much of what has been read need not wait."""
        length = len(self._unwritten)
        lines = self._unwritten.rfind(b"\n") + 1
        now = time.monotonic()
        if self._half_since is None and lines < length:
            self._half_since = now
        waited = now - self._half_since if self._half_since is not None else 0.0
        if length >= MOST_UNWRITTEN or waited >= SEQUENCE_WAITS:
            return length
        if self._session is None or waited < LINE_WAITS:
            return lines
        return length - unfinished(bytes(self._unwritten))

    # -- any thread reads, under the lock --------------------------------------------------------

    def _read(self, most: int) -> bool:
        """Read what is there, up to about `most` bytes; whether more may come."""
        most = min(most, MOST_UNWRITTEN - len(self._unwritten))
        while most > 0:
            try:
                data = os.read(self._master, most)
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                data = b""  # Linux says so: all have closed the other side
            if not data:
                return False
            self._unwritten += data
            self._last_read = time.monotonic()
            most -= len(data)
        return True

    def flush(self) -> None:
        """Write what has been read straight to the terminal, whatever it is."""
        if self._unwritten:
            data, self._unwritten = bytes(self._unwritten), bytearray()
            self._half_since = None
            self.terminal.write_bytes(data)

    def forward(self, in_flight: bool = False) -> bool:
        """Read what is there and write it straight to the terminal; whether more may come.

        `in_flight`: also what the pty is being filled with by writes that have already begun.
        Raises OSError when the pty or the terminal is gone.
        """
        deadline = time.monotonic() + IN_FLIGHT
        while True:
            is_busy = in_flight and self._is_being_written()
            more = self._read(MOST_UNWRITTEN)
            self.flush()
            if not is_busy or time.monotonic() > deadline:
                return more

    def switch(self, moves: Moves) -> None:
        """Lead descriptors away from the pty, and write what they have written into it before.

        Raises OSError if one could not be moved. Under the lock.
        """
        self._read(ENOUGH)
        is_busy = time.monotonic() - self._last_read < BUSY
        self.flush()
        if is_busy and (switch := self._get_switch()):
            switch.move(moves)
        else:
            self.forward()
            for source, fd in moves:
                os.dup2(source, fd)
        self.forward(in_flight=True)

    def _get_switch(self) -> Switch | None:
        if self._switch is None and not self._has_no_switch:
            try:
                self._switch = Switch(self._master, self._probe, self.terminal.fileno())
            except (AttributeError, ImportError, OSError):
                self._has_no_switch = True
        return self._switch

    def _is_being_written(self) -> bool:
        # Linux: who writes to a terminal holds its lock until all is written; anybody else's write
        # would block, even of nothing. Other systems say nothing here, and lose nothing by it.
        try:
            os.write(self._probe, b"")
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    # -- the stand-in ----------------------------------------------------------------------------

    def _run_stand_in(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        turns, is_stuck = 0, False
        try:
            while True:
                poll.poll()
                if not is_stuck and not self._closing.is_set():
                    turns = self._turns
                    self._closing.wait(PATIENCE)
                    is_stuck = self._turns == turns and bool(poll.poll(0)) and not self._is_resting
                    continue
                with self.lock:
                    if self._closing.is_set():
                        if not self.forward():
                            return
                    elif self._turns != turns or self._is_resting:
                        is_stuck = False
                    else:
                        self._read(ENOUGH)
                        if self._write_in_place_of_prompt_loop():
                            continue
                self._closing.wait(0.001)
        except Exception as error:
            self._fail(error)
        finally:
            if self._closing.is_set():
                self._close_descriptors()

    def _write_in_place_of_prompt_loop(self, at_once: bool = False) -> bool:
        """Any thread. The prompt is drawn again when its loop is back. Returns whether it could."""
        if self._session is None or self._is_dumb:
            self.flush()
            return True
        app = self._app()
        screen = app.renderer.last_rendered_screen if app is not None else None
        if app is not None and screen is not None:
            if screen is not self._on_screen and not at_once:
                # The prompt thread is about to write what it takes for drawn. It runs no code of
                # the user's now, and needs only the lock.
                return False
            assert self._loop is not None
            erase = self._above.erase_sequence(app)
            self._above.forget_drawn(app)  # before anything that lets the prompt thread go on
            self.terminal.write_held()
            self.terminal.write_bytes(erase)
            self._above.new_line()
            self._on_screen = None
            self._loop.call_soon_threadsafe(self._redraw_erased)
        length = self._unwritten.rfind(b"\n") + 1 or len(self._unwritten)
        data = bytes(self._unwritten[:length])
        del self._unwritten[:length]
        self._half_since = None
        self._above.write_text(None, data)
        return True

    def _note_drawn(self) -> None:
        app = self._app()
        self._on_screen = app.renderer.last_rendered_screen if app is not None else None

    def _redraw_erased(self) -> None:
        app = self._app()
        if app is not None and not self._is_resting and app.renderer.last_rendered_screen is None:
            self._above.redraw(app)

    # -- endings ---------------------------------------------------------------------------------

    def _fail(self, error: Exception) -> None:
        if not self._closing.is_set():
            self._tell_failure(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """The descriptors are home, and our side of the pty is closed: nothing of ours comes.

        The stand-in forwards what others write, and closes what is left when all have closed it.
        """
        self._stop_listening()
        self._closing.set()
        more = False
        with self.lock, suppress(OSError):
            more = self.forward()
        if not more:
            self._stand_in.join(GOODBYE)
        if not self.is_forwarding:
            self._close_descriptors()

    def _close_descriptors(self) -> None:
        with self.lock:
            if self._is_closed:
                return
            self._is_closed = True
            if self._switch is not None:
                self._switch.close()
            close_if(self._master, self._master_is)
            os.close(self.terminal.fileno())

    @property
    def is_forwarding(self) -> bool:
        """Whether somebody can still write into the pty, after `close()`."""
        return self._stand_in.is_alive()

    def _stop_listening(self) -> None:
        loop, self._loop = self._loop, None
        if loop is None or loop.is_closed():
            return
        removed = threading.Event()

        def remove() -> None:
            loop.remove_reader(self._master)
            if self._emission is not None:
                self._emission.cancel()
            removed.set()

        loop.call_soon_threadsafe(remove)
        removed.wait(GOODBYE)

    def hand_over(self) -> None:
        """At the end of the process: another one goes on with what the stand-in does."""
        with self.lock:
            if self.is_forwarding and hasattr(os, "posix_spawnp"):
                os.set_blocking(self._master, True)
                actions = [
                    (os.POSIX_SPAWN_DUP2, self._master, 0),
                    (os.POSIX_SPAWN_DUP2, self.terminal.fileno(), 1),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ]
                # It outlives the foreground job of the terminal; a hangup ends its writes anyway.
                command = ["sh", "-c", "trap '' HUP; exec cat"]
                os.posix_spawnp("sh", command, os.environ, file_actions=actions)
