"""Output above the prompt, caught at Python's streams (policy `output` = ``sys``).

An object of prompt_toolkit's takes the place of `sys.stdout` and `sys.stderr`. Logging handlers
made before the shell hold the streams themselves, so they are pointed at it for that time. What
writes to the file descriptors (C code, child processes) is not caught by this; `output_pty` does
that, where there are ptys.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO, cast

from prompt_toolkit.application.current import AppSession
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.patch_stdout import StdoutProxy
from prompt_toolkit.utils import is_dumb_terminal

from ipyembed.aside import borrower_asks
from ipyembed.lent import stepping_aside
from ipyembed.output_screen import AbovePrompt
from ipyembed.prompt_thread import prompt_thread
from ipyembed.routing import RoutedStream, put_below, stream_handlers

PATIENCE = 1.0
"""Seconds that the prompt thread gets to write before it is done without it."""
PAUSE_BETWEEN_WRITES = 0.02
"""Seconds in which lines are gathered before the prompt is drawn again."""

MOST_QUEUED = 1000
"""Lines that are held, at most; then who prints waits."""
LINE_LOOKS = 10
"""How often, every millisecond, it is looked whether half a line has become a whole one."""


@contextmanager
def streams_caught(context: contextvars.Context) -> Iterator[None]:
    """While a prompt is up in the AppSession of `context`.

    The streams are replaced, and put back, by the thread that uses this.
    """
    proxy = context.run(_Proxy, sleep_between_writes=PAUSE_BETWEEN_WRITES, raw=True)
    try:
        with stepping_aside(proxy), ExitStack() as stack:
            stack.enter_context(_streams_replaced(cast("TextIO", proxy)))
            try:
                yield
            finally:
                with proxy.ending():
                    stack.close()
    finally:
        proxy.close()


class _Proxy(StdoutProxy):
    """Writes above the prompt of the AppSession in which it is made.

    prompt_toolkit 3.0.50 to 3.0.53: the proxy's thread has no context variables, so there
    `run_in_terminal` looks for the prompt in the process's default session and finds none.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._above = SessionText(self.app_session)

    _context: contextvars.Context | None = None
    _through: TextIO | None = None
    _draining = threading.Lock()

    @contextmanager
    def ending(self) -> Iterator[None]:
        """All that it holds has been written, and nobody writes; afterwards, past it."""
        for _ in range(LINE_LOOKS):  # half of a print() may have come, which writes twice
            if not self._buffer:
                break
            time.sleep(0.001)
        with self._lock:
            self.drain()
            try:
                yield
            finally:
                self._through = self.original_stdout

    def drain(self) -> None:
        """See `Catcher`."""
        self.flush()
        with self._draining:  # two threads may want to borrow the terminal
            self.close()
            self.closed = False
            self._flush_thread = self._start_write_thread()

    def let_through(self) -> None:
        """See `Catcher`."""
        self._through = self.original_stdout

    def catch_again(self) -> None:
        """See `Catcher`."""
        self._through = None

    def write(self, data: str) -> int:
        """Print above the prompt, or directly while the terminal is lent."""
        with self._lock:
            stream = self._through
            if stream is None:
                return super().write(data)
        return stream.write(data)

    def flush(self) -> None:
        """See `write`."""
        stream = self._through
        if stream is None:
            super().flush()
        else:
            stream.flush()

    def _write_and_flush(self, loop: asyncio.AbstractEventLoop | None, text: str) -> None:
        # Written from this thread, the text could come into the midst of a prompt that is just
        # being drawn. So it is written on the thread that draws.
        prompt_loop = prompt_thread.loop
        if prompt_loop is None:
            super()._write_and_flush(None, text)
            return
        left = [text]  # whoever takes it out writes it
        written = threading.Event()

        def write_in_prompt_thread() -> None:
            if left:
                self._write_in_prompt_thread(left.pop())
            written.set()

        prompt_loop.call_soon_threadsafe(write_in_prompt_thread, context=contextvars.copy_context())
        if not written.wait(PATIENCE) and left:  # a completer of the user's holds that thread
            super()._write_and_flush(None, left.pop())

    def _write_in_prompt_thread(self, text: str) -> None:
        if not self._above.write(text):
            borrower_asks.set(True)  # the terminal can stay raw, and echoes nothing
            super()._write_and_flush(self._get_app_loop(), text)

    def _start_write_thread(self) -> threading.Thread:
        if self._context is None:
            self._context = contextvars.copy_context()
            self._flush_queue = queue.Queue(MOST_QUEUED)
        thread = threading.Thread(
            target=self._context.run,
            args=(self._write_thread,),
            name="ipyembed-output",
            daemon=True,
        )
        thread.start()
        return thread


class SessionText:
    """Writes text above what is up in an AppSession. Prompt thread."""

    def __init__(self, session: AppSession) -> None:
        self._session = session
        output: Any = session.output
        self._above: AbovePrompt | None = None
        if isinstance(output, Vt100_Output) and not is_dumb_terminal():

            def write(data: bytes) -> None:
                output.write_raw(data.decode())
                output.flush()

            self._above = AbovePrompt(write, output.get_size)

    def write(self, text: str) -> bool:
        """Whether it could be written: on some terminals, and while one is lent, it cannot."""
        app: Any = self._session.app
        if app is not None and not app.is_running:
            app = None
        # prompt_toolkit 3.0.50 to 3.0.53: private; set while an editor has the terminal
        is_lent = app is not None and getattr(app, "_running_in_terminal", False)
        if self._above is None or is_lent:
            return False
        is_drawn = app is not None and app.renderer.last_rendered_screen is not None
        self._above.write_text(app, text.encode(errors="replace"))
        if is_drawn:
            self._above.redraw(app)
        return True


class _Replaced:
    """A proxy in the place of the streams, and what was there."""

    def __init__(self, proxy: TextIO) -> None:
        self.proxy = proxy
        self.streams = {name: put_below(name, proxy) for name in ("stdout", "stderr")}
        before = self.streams.values()
        self.handlers = {
            handler: handler.stream for handler in stream_handlers() if handler.stream in before
        }
        for handler in self.handlers:
            handler.setStream(proxy)

    def put_back(self, later: list[_Replaced]) -> None:
        """`later` are those that were put in place after this one, and have found its proxy there:
        questions of several threads do not end in the order in which they began."""
        for name, stream in self.streams.items():
            # Who replaced the streams meanwhile keeps his replacement; but IPython's completer puts
            # a proxy there for a moment, on the prompt thread by policy, and may put back ours
            # late.
            found: Any = getattr(sys, name)
            inner = found.original if isinstance(found, RoutedStream) else found
            is_later = any(inner is other.proxy for other in later)
            if isinstance(inner, StdoutProxy) and not is_later:
                put_below(name, stream)
            for other in later:
                if other.streams[name] is self.proxy:
                    other.streams[name] = stream
        for handler, stream in self.handlers.items():
            if handler.stream is self.proxy:
                handler.setStream(stream)
            for other in later:
                if other.handlers.get(handler) is self.proxy:
                    other.handlers[handler] = stream


# Guards the list, which is in the order of their coming: questions are asked on any thread.
_replacing = threading.Lock()
_replaced: list[_Replaced] = []


@contextmanager
def _streams_replaced(proxy: TextIO) -> Iterator[None]:
    with _replacing:
        replaced = _Replaced(proxy)
        _replaced.append(replaced)
    try:
        yield
    finally:
        with _replacing:
            at = _replaced.index(replaced)
            del _replaced[at]
            replaced.put_back(_replaced[at:])
