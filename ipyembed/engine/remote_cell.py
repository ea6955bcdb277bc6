"""A cell that runs in the engine, as its front end sees it: from the request to the reply.

============================  ======================================================================
what comes                    what is done
============================  ======================================================================
the reply                     that is the end
a question                    the user is asked, on the terminal; the end of the cell takes it back
Ctrl-C                        the engine is asked to interrupt the cell
a second one                  the cell is left to itself
============================  ======================================================================

Ctrl-C comes as a signal, and means the question if there is one. Which it is, is decided twice: the
handler is changed for the time of the question, and what came before that is looked up after it.
"""

from __future__ import annotations

import getpass
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, Protocol

Content = dict[str, Any]
END_OF_INPUT = "\x04"
"""What Jupyter's front ends answer at Ctrl-D."""


class Wire(Protocol):
    """The part of a `Link` that a cell needs."""

    def request(self, kind: str, content: Content, channel: str = "shell") -> Future[Content]:
        """See `Link`."""

    def answer(self, text: str) -> None:
        """See `Link`."""


class RemoteCell:
    """One cell whose request has been sent. Main thread, but for what the names say."""

    def __init__(self, link: Wire) -> None:
        self._link = link
        # What has come: from the link's thread, and from a signal handler; so a queue that may be
        # put into in the midst of anything.
        self._events: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._interrupts = 0
        """That have been taken from the queue."""
        self._interrupted = 0
        """That were put into it."""

    # -- from other threads, and signal handlers -----------------------------------------------

    def asked_threadsafe(self, prompt: str, password: bool) -> None:
        """The cell asks."""
        self._events.put(("question", (prompt, password)))

    def interrupted_threadsafe(self) -> None:
        """Ctrl-C; also from a signal handler."""
        self._interrupted += 1
        self._events.put(("interrupted", None))

    # -- the main thread -----------------------------------------------------------------------

    def wait(self, reply: Future[Content]) -> bool:
        """Wait until the cell has ended; False: the user does not wait any longer."""
        reply.add_done_callback(lambda done: self._events.put(("replied", done)))
        while True:
            what, value = self._events.get()
            if what == "replied":
                return True
            if what == "question":
                self._answer(reply, *value)
                continue
            self._interrupts += 1
            if self._interrupts > 1:
                reply.cancel()
                print("\nipyembed: the cell is left to itself; the engine was asked to end it")
                return False
            self._link.request("interrupt_request", {}, "control")

    def _answer(self, reply: Future[Content], prompt: str, password: bool) -> None:
        """Ask the user, unless the cell has ended, or Ctrl-C has come before the question could."""
        try:
            with _ctrl_c_raises(), _taken_back_with(reply):
                if reply.done() or self._interrupted > self._interrupts:
                    return
                text = getpass.getpass(prompt) if password else input(prompt)
        except EOFError:
            text = END_OF_INPUT
        except KeyboardInterrupt:
            print()
            if not reply.done():
                self.interrupted_threadsafe()
            return
        self._link.answer(text)


@contextmanager
def _ctrl_c_raises() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)
    try:  # which may be left as soon as the handler is there
        signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def _taken_back_with(reply: Future[Content]) -> Iterator[None]:
    """While a line is read: the end of the cell ends that, as Ctrl-C would."""
    is_reading = True

    def end(_: object) -> None:
        if is_reading and hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    if threading.current_thread() is threading.main_thread():
        reply.add_done_callback(end)
    try:
        yield
    finally:
        is_reading = False
