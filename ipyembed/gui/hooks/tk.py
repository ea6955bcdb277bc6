"""Tk, by tkinter: the default root.

`dooneevent` rather than `mainloop`: `root.quit()` ends the innermost `mainloop`, which may be one
that a callback has started.

What tkinter knows of its loop is in C, without a way to ask (CPython's ``_tkinter.c``, 3.11 to
3.13):

- `dispatching`: whether other threads may call Tk now; if not, such a call fails after a second
  with "main thread is not in main loop". `willdispatch()` sets it.
- the exception of a command, if the wrapper that prints it let it pass (`SystemExit`). The loop of
  `mainloop` looks for it, `dooneevent` does not.

`mainloop` with a threshold that no number of windows exceeds runs nothing, clears the first and
raises the second.
"""

from __future__ import annotations

import importlib
import sys
import time
from types import TracebackType
from typing import Any

from ipyembed.blocking import Interrupted
from ipyembed.gui.hooks.callbacks import GuardedCallbacks
from ipyembed.gui.hooks.protocol import Context, is_readable
from ipyembed.gui.hooks.wakeup import SignalWakeup

_NO_SUCH_NUMBER = 2**31 - 1

# Tcl's own wait for descriptors is a select().
_FD_SETSIZE = 1024

# A short turn, when somebody else's work is waiting: a chain of `after(0)` has no end.
_SHORT_TURN = 0.002

# Without a way to watch the descriptor.
_POLL_INTERVAL = 0.01

_active: list[_Wait] = []


def default_root() -> Any:
    """The default root, if it was made by this thread."""
    root = getattr(sys.modules.get("tkinter"), "_default_root", None)
    if root is None:
        return None
    try:
        # The check of the thread comes first; then this is no descriptor.
        root.tk.deletefilehandler(-1)
    except ValueError:
        return root
    except AttributeError:
        return root  # Windows has none, and there no answer either.
    except RuntimeError:
        return None  # Another thread's.
    return root


def main_loop_is_running() -> bool:
    """Whether a `mainloop` of tkinter is on this thread's stack."""
    tkinter: Any = sys.modules.get("tkinter")
    if tkinter is None:
        return False
    loops = (tkinter.mainloop.__code__, tkinter.Misc.mainloop.__code__)
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code in loops:
            return True
    return False


def hook(context: Context) -> None:
    root = default_root()
    if root is None:
        return
    wait = _Wait(root, context)
    outer = _active[-1] if _active else None
    _active.append(wait)
    try:
        wait.run()
    finally:
        _active.pop()
        if outer is not None and not outer.ended:
            outer.arm()  # Tcl has one handler for a descriptor, and it may be the same one.


class _Wait:
    """Runs Tk's loop until the descriptor is readable, or the root is gone."""

    def __init__(self, root: Any, context: Context) -> None:
        self._root = root
        self._tk = root.tk
        self._tkinter: Any = sys.modules["tkinter"]
        self._context = context
        self._nested = main_loop_is_running()
        self.ended = False

    def run(self) -> None:
        with SignalWakeup() as self._signal, GuardedCallbacks(self._end) as self._guarded:
            reporter = _Reporter(self._root, self._guarded)
            self._tk.willdispatch()
            try:
                with reporter:
                    self._turn()
            except Exception as error:
                self._guarded.report(type(error), error, error.__traceback__)
            finally:
                self._settle()

    def _turn(self) -> None:
        if is_readable(self._context.fileno()):
            self._short_turn()
        elif hasattr(self._tk, "createfilehandler") and self._context.fileno() < _FD_SETSIZE:
            self._wait()
        else:
            self._poll()

    def _short_turn(self) -> None:
        deadline = time.perf_counter() + _SHORT_TURN
        while self._one_event(self._tkinter._tkinter.DONT_WAIT):
            if time.perf_counter() > deadline:
                return

    def _wait(self) -> None:
        _tkinter = self._tkinter._tkinter
        # Painting is what Tk does when it is idle, and it may never be, if the descriptor is
        # always readable by the time that we look.
        self._one_event(_tkinter.IDLE_EVENTS | _tkinter.DONT_WAIT)
        signal = self._signal.fileno()
        if watch_signal := 0 <= signal < _FD_SETSIZE:
            self._tk.createfilehandler(signal, _tkinter.READABLE, self._on_signal)
        self.arm()
        try:
            while not self.ended and self._alive():
                self._one_event(0)
        finally:
            self._disarm()
            if watch_signal:
                self._tk.deletefilehandler(signal)

    def _poll(self) -> None:
        while not self.ended and self._alive() and not is_readable(self._context.fileno()):
            self._short_turn()
            time.sleep(_POLL_INTERVAL)

    def arm(self) -> None:
        fileno = self._context.fileno()
        self._tk.createfilehandler(fileno, self._tkinter.READABLE, self._on_readable)

    def _disarm(self) -> None:
        self._tk.deletefilehandler(self._context.fileno())

    def _end(self) -> None:
        self.ended = True

    def _alive(self) -> bool:
        return self._tkinter._default_root is self._root

    def _one_event(self, flags: int) -> int:
        """Whether there was one."""
        found: int = self._tk.dooneevent(flags)
        self._settle()
        if not self._nested:
            self._tk.willdispatch()
        return found and not self.ended and self._alive()

    def _settle(self) -> None:
        """Other threads see that we do not dispatch; what a command raised is raised.

        In a `mainloop` of the host's both are that loop's, and so is a `root.quit()`, which this
        would forget. But an interrupt is ours.
        """
        if not self._nested or self._signal.drain():
            self._tk.mainloop(_NO_SUCH_NUMBER)
            if self._nested:
                self._tk.willdispatch()

    def _on_readable(self, *_arguments: object) -> None:
        # At once, not after the event: in it a modal dialog may be under way, which cannot be left
        # from outside, and whose loop would spin.
        self._disarm()
        self.ended = True

    def _on_signal(self, *_arguments: object) -> None:
        # That Python runs is what matters: the signal's handler has run before this line.
        self._signal.drain()
        self.ended = True


class _Reporter:
    """tkinter catches what a command raises, an interrupt too, and has the root print it."""

    _NAME = "report_callback_exception"

    def __init__(self, root: Any, guarded: GuardedCallbacks) -> None:
        self._attributes = vars(root)
        self._report = root.report_callback_exception
        self._guarded = guarded

    def __enter__(self) -> None:
        self._previous = self._attributes.get(self._NAME)
        self._ours = self._on_exception
        self._attributes[self._NAME] = self._ours

    def _on_exception(
        self, kind: type[BaseException], value: BaseException, traceback: TracebackType | None
    ) -> None:
        if isinstance(value, KeyboardInterrupt | Interrupted):
            self._guarded.report(kind, value, traceback)
        else:
            self._report(kind, value, traceback)

    def __exit__(self, *exc_info: object) -> None:
        if self._attributes.get(self._NAME) is not self._ours:
            return
        if self._previous is None:
            del self._attributes[self._NAME]
        else:
            self._attributes[self._NAME] = self._previous


def prepare(_name: str) -> None:
    """Import it. A root is for the user to make."""
    importlib.import_module("tkinter")


def release() -> None:
    """Nothing is kept from one call to the next."""
