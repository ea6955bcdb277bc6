"""Has the main thread do something at once, even in the middle of a blocking call.

Python runs signal handlers on the main thread, between two bytecodes; a blocking call is left for
them, and goes on when they raise nothing. So a signal that nobody uses, with a handler of ours, is
how another thread gets a function called there at once: it may raise into the code that blocks, or
just have Python look at the signals that have come.

What does not work: `PyThreadState_SetAsyncExc` and `Py_AddPendingCall` alone wait for the end of a
blocking call. Sending SIGINT a second time would interrupt twice, if the first was only late.

A signal that comes between Python's last look for signals and a blocking system call is noticed
after that call. So as long as what is to be called has not been, the signal is sent again.

The signal is SIGURG: ignored by default, so one that comes too late harms nobody. Where the host
uses it, or there is none (Windows), `is_held` is false, and nothing is called.
"""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType

SIGNAL: signal.Signals | None = getattr(signal, "SIGURG", None)

FIRST_PAUSE = 0.02
LAST_PAUSE = 1.0
"""Seconds after which a signal that has not been noticed is sent again, at first and at last."""

Call = Callable[[FrameType | None], object]


class Nudge:
    """The process's use of the signal.

    =========  ======================  =====================
    state      left by                 the signal's handler
    =========  ======================  =====================
    free       the first `hold()`      the host's: none
    held       the last `let_go()`     ours
    =========  ======================  =====================
    """

    def __init__(self) -> None:
        self._holders = 0
        self._calls: deque[Call] = deque()
        # Keeps the order of "queue a call, see that it is insisted on" against "nothing is queued,
        # so insist no more". Not for the handler: that comes in the midst of whatever holds it.
        self._lock = threading.Lock()
        self._insists: threading.Thread | None = None
        self._is_over = threading.Event()

    @property
    def is_held(self) -> bool:
        """Whether calls will be made."""
        return self._holders > 0

    def hold(self) -> bool:
        """Take the signal, if it can be had, and return whether. Main thread."""
        if self._holders == 0:
            if SIGNAL is None or not hasattr(signal, "pthread_kill"):
                return False
            if signal.getsignal(SIGNAL) != signal.SIG_DFL:
                return False
            signal.signal(SIGNAL, self._handle)
        self._holders += 1
        return True

    def let_go(self) -> None:
        """Give the signal back, at the last call. Main thread."""
        self._holders -= 1
        if self._holders == 0 and SIGNAL is not None:
            self._calls.clear()
            self._insist_no_more()
            if signal.getsignal(SIGNAL) == self._handle:
                signal.signal(SIGNAL, signal.SIG_DFL)

    def call_threadsafe(self, function: Call) -> bool:
        """Have `function` called on the main thread, with the frame that was interrupted.

        It may raise: into that frame. Returns whether it will be called.
        """
        if not self.is_held:
            return False
        with self._lock:
            self._calls.append(function)
            if self._insists is None:
                self._insists = threading.Thread(
                    target=self._insist, name="ipyembed-nudge", daemon=True
                )
                self._insists.start()
        self.now_threadsafe()
        return True

    def now_threadsafe(self) -> None:
        """Have Python run the handlers of signals that have come, although a call blocks."""
        ident = threading.main_thread().ident
        if self.is_held and SIGNAL is not None and ident is not None:
            try:
                signal.pthread_kill(ident, SIGNAL)
            except ProcessLookupError:  # the interpreter is ending
                pass

    def _insist(self) -> None:
        """Runs on a thread of its own while a call is due."""
        pause = FIRST_PAUSE
        while not self._is_over.wait(pause):
            with self._lock:
                if not self._calls or pause > LAST_PAUSE:
                    self._insists = None
                    return
            self.now_threadsafe()
            pause *= 2

    def _insist_no_more(self) -> None:
        with self._lock:
            thread, self._insists = self._insists, None
        if thread is not None:
            self._is_over.set()
            thread.join()
            self._is_over.clear()

    def _handle(self, _signum: int, frame: FrameType | None) -> None:
        try:
            function = self._calls.popleft()
        except IndexError:
            return
        try:
            function(frame)
        finally:
            if self._calls:
                self.now_threadsafe()


nudge = Nudge()
"""The process's only one."""
