"""Taking SIGINT from the host for a time, and giving it back.

Goal: while it is taken, Ctrl-C reaches one function of ours, at once, and nothing of the host's;
afterwards everything is as before.

What does not work:

- a handler alone. A host that has called `loop.add_signal_handler(SIGINT, ...)` is also told by
  the wakeup fd, whatever the handler is: asyncio and uvloop read the signal's number from it.
- no wakeup fd. A signal that comes between Python's last look for signals and a blocking system
  call (about one in 500) is noticed after that call; and loops that wait in C (Qt, uvloop) go on
  waiting after a signal.

What we do: the wakeup fd is ours as well. A thread reads it. It passes on every number but that of
SIGINT to whoever had it before; it wakes the loop; and if the handler has not run soon, it nudges
the main thread (`nudge`) out of the call that blocks it.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from ipyembed.nudge import FIRST_PAUSE, LAST_PAUSE, SIGNAL, nudge
from ipyembed.sigint_in_c import sigint_in_c
from ipyembed.silenced import collision_with_trio
from ipyembed.wakeup_fd import put_back_fd

A_MOMENT = 0.001
"""Seconds until it is tried again to raise an exception, where it could not be."""

_AGAIN = b"\0"  # no signal's number


class Sigint:
    """SIGINT of the process, for one shell.

    ==========  ===========================  ==========================
    state       handler and wakeup fd        left by
    ==========  ===========================  ==========================
    the host's  as found                     `take()`
    taken       ours                         `give_back()`, `close()`
    ==========  ===========================  ==========================

    But for what the name says, all methods run on the main thread.
    """

    def __init__(self, handle: Callable[[FrameType | None], object]) -> None:
        """`handle` is called with the frame that was interrupted; it may raise into it."""
        self._handle_frame = handle
        self.wake_threadsafe: Callable[[], object] | None = None
        """Makes a loop that waits in C call some Python. Called on a thread of ours."""
        self.unnoticed_threadsafe: Callable[[], object] | None = None
        """Called when the handler has not run in time, on a thread of ours."""
        self.is_taken = False
        self.previous: Any = None
        """The host's handler, while SIGINT is taken."""
        self._previous_fd = -1
        self._runs = 0
        self._again: deque[Callable[[FrameType | None], object]] = deque()
        self._reader: _Reader | None = None

    def take(self) -> None:
        """Take it, unless that has been done. A handler installed from C is left alone."""
        if self.is_taken:
            return
        previous = signal.getsignal(signal.SIGINT)
        if previous is None:  # it could not be put back
            return
        if self._reader is None:
            self._reader = _Reader(self)
        self.previous = previous
        collision_with_trio.__enter__()
        self._previous_fd = signal.set_wakeup_fd(self._reader.fileno, warn_on_full_buffer=False)
        sigint_in_c.set_pythons(self._handle)
        self.is_taken = True

    def set_hosts(self, handler: Any) -> Any:
        """While it is taken: the host's handler is another from now on; the one before."""
        previous, self.previous = self.previous, handler
        return previous

    def give_back(self) -> None:
        """Put back what was there, unless somebody has replaced ours meanwhile: that stays."""
        if not self.is_taken or self._reader is None:
            return
        self.is_taken = False
        collision_with_trio.__exit__()
        found = put_back_fd(self._previous_fd, warn_on_full_buffer=False)
        if found not in (self._reader.fileno, -1):  # -1: asyncio resets it when a loop is closed
            put_back_fd(found, warn_on_full_buffer=False)
        if signal.getsignal(signal.SIGINT) == self._handle:
            put_back(self.previous)
        self.previous = None

    def close(self) -> None:
        """Give it back for good."""
        self.give_back()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @property
    def handler(self) -> Callable[[int, FrameType | None], object]:
        """The handler that is in place while SIGINT is taken."""
        return self._handle

    def _handle(self, _signum: int, frame: FrameType | None) -> None:
        self._runs += 1
        self._handle_frame(frame)

    def in_a_moment(self, function: Callable[[FrameType | None], object]) -> bool:
        """Have `function` called as the handler is, in a moment; whether it will be.

        For where must not be raised now. In a signal handler.
        """
        if not nudge.is_held or self._reader is None:
            return False

        def call(frame: FrameType | None) -> None:
            self._runs += 1
            function(frame)

        self._again.append(call)
        with suppress(OSError):
            os.write(self._reader.fileno, _AGAIN)
        return True

    # -- on the reader's thread --------------------------------------------------------------

    def runs_threadsafe(self) -> int:
        """How often the handler has run, or what was to be called as it is."""
        return self._runs

    def arrived_threadsafe(self, numbers: bytes) -> None:
        """Signals have come."""
        if _AGAIN in numbers:
            numbers = numbers.replace(_AGAIN, b"")
            time.sleep(A_MOMENT)
            while self._again:
                nudge.call_threadsafe(self._again.popleft())
        ours = {signal.SIGINT, SIGNAL}
        others = bytes(number for number in numbers if number not in ours)
        if others and self._previous_fd != -1:
            with suppress(OSError):  # full, or closed
                os.write(self._previous_fd, others)
        self.help_threadsafe()

    def help_threadsafe(self) -> None:
        """Have Python's handlers run."""
        wake = self.wake_threadsafe
        if wake is not None:
            with suppress(RuntimeError):  # that loop has ended
                wake()


class _Reader:
    """The thread that reads the wakeup fd."""

    def __init__(self, sigint: Sigint) -> None:
        self._sigint = sigint
        self._ours, self._theirs = socket.socketpair()
        self._theirs.setblocking(False)
        self.fileno = self._theirs.fileno()
        self._thread = threading.Thread(target=self._run, name="ipyembed-signals", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        runs = 0
        pause: float | None = None
        while True:
            self._ours.settimeout(pause)
            try:
                numbers = self._ours.recv(4096)
            except TimeoutError:
                # Helped too often harms nobody: the nudge's handler does nothing by itself.
                if self._sigint.runs_threadsafe() == runs:
                    self._sigint.help_threadsafe()
                    nudge.now_threadsafe()
                    if (unnoticed := self._sigint.unnoticed_threadsafe) is not None:
                        unnoticed()
                    pause = 2 * pause if pause is not None and pause < LAST_PAUSE else None
                else:
                    runs, pause = self._sigint.runs_threadsafe(), None
                continue
            if not numbers:
                return
            is_again = _AGAIN in numbers
            if is_again or (signal.SIGINT in numbers and pause is not None):
                runs = self._sigint.runs_threadsafe()  # these were for the one before
            if is_again or signal.SIGINT in numbers:
                pause = FIRST_PAUSE
            self._sigint.arrived_threadsafe(numbers)

    def close(self) -> None:
        self._theirs.close()
        self._thread.join()
        self._ours.close()


def put_back(handler: Any) -> None:
    """Set the handler for SIGINT that was found. Main thread."""
    sigint_in_c.set_pythons(handler)
    if _restarts_calls(handler):
        signal.siginterrupt(signal.SIGINT, False)


def _restarts_calls(handler: Any) -> bool:
    """Whether the loop that has set `handler` has asked for system calls to be restarted.

    Setting a handler resets that, and it cannot be asked for. asyncio (3.11 to 3.13) and uvloop
    (0.17 to 0.22) do so for the handlers of `add_signal_handler`.
    """
    if not hasattr(signal, "siginterrupt"):
        return False
    if getattr(handler, "__name__", "") == "_sighandler_noop":
        return True
    return type(getattr(handler, "__self__", None)).__module__.partition(".")[0] == "uvloop"
