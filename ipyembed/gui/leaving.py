"""Ctrl-C while a toolkit's loop runs inside of what is to be interrupted.

In a cell that is `dialog.exec()` or `app.exec()`; at the prompt, a modal dialog that a callback has
opened, for which the callback waits. `breaking_out` ends such a loop from inside, on the eval
thread; here is when it is asked to, and what is raised where afterwards.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType

from ipyembed.blocking import Activity, interrupt_when_it_goes_on, raise_when_it_goes_on
from ipyembed.gui import breaking_out
from ipyembed.watchdog import describe_frame

PATIENCE = 0.1
"""Seconds in which a toolkit whose loop turns has called what it was asked to call."""


class LeavingLoops:
    """For one shell. Runs on the eval thread, but for what the name says."""

    def __init__(
        self,
        runs_code: Callable[[FrameType | None], bool],
        left: Callable[[], object] = lambda: None,
    ) -> None:
        """`runs_code(frame)`: whether the shell's cell is being executed there.

        `left()` is called when a loop of the cell's has been told to end.
        """
        self._runs_code = runs_code
        self._left = left
        self._depths: tuple[int, ...] = ()
        self._is_wanted = False
        self._is_handled = False
        """Whether the signal handler has run for the Ctrl-C for which a loop is wanted to end."""

    # -- in a cell -----------------------------------------------------------------------------

    def begin(self) -> None:
        """A cell begins."""
        self._depths = breaking_out.depths()
        self._is_wanted = False

    def are_deeper(self) -> bool:
        """Whether more of the toolkits' loops run within one another than when the cell began."""
        return breaking_out.depths() > self._depths

    def is_to_leave(self, frame: FrameType | None) -> bool:
        """Whether the cell runs a loop, and this is a callback of that: it has been asked to end.

        In a signal handler. If the loop does not end, the next Ctrl-C is for the callback.
        """
        if frame is not None and frame.f_code is _LEAVES:
            return True
        is_called = self._is_wanted and breaking_out.is_about_to_call(frame)
        is_first = not (self._is_wanted and self._is_handled)
        if not is_called and not (is_first and self.are_deeper()):
            self._is_wanted = False
            return False
        if is_first:  # although another thread may have asked: Tk does not hear it from everywhere
            self._want_to_leave(is_handled=True)
        return True

    def leave_threadsafe(self) -> None:
        """Have the loop that the cell runs end, before the handler for the signal has run."""
        self._want_to_leave(is_handled=False)

    def _want_to_leave(self, is_handled: bool) -> None:
        """Have the toolkit whose loop the cell runs call `_leave`."""
        if breaking_out.is_possible():
            self._is_handled = is_handled
            self._is_wanted = True
            breaking_out.call_threadsafe(self._leave)

    def _leave(self) -> None:
        frame = sys._getframe()
        if not self._is_wanted or not self._runs_code(frame):
            return
        self._is_wanted = False
        self._left()
        caller = breaking_out.caller_of_loop(frame)
        breaking_out.leave_loop(caller, is_hosts=breaking_out.cannot_tell(self._depths))
        if caller is not None:
            raise_when_it_goes_on(caller, KeyboardInterrupt)

    # -- at the prompt -------------------------------------------------------------------------

    def leave_dialog_threadsafe(
        self,
        find_activity: Callable[[FrameType | None], Activity | None],
        otherwise: Callable[[], object],
    ) -> None:
        """End the dialog that an activity waits for, and interrupt that.

        Where no toolkit's loop turns in one, `otherwise()` is called, on some thread.
        """
        if not breaking_out.is_possible():
            otherwise()
            return
        # Whoever has it is the first: the toolkit, or who has waited for that long enough.
        is_decided = threading.Lock()
        is_called = threading.Event()

        def leave_dialog() -> None:
            if not is_decided.acquire(blocking=False):
                return
            is_called.set()
            caller = breaking_out.caller_of_loop(sys._getframe())
            activity = find_activity(caller)
            if activity is None or caller is None:  # the loop turns, so it is not stuck any more
                return
            place = describe_frame(caller)
            if breaking_out.leave_loop(caller, is_hosts=True):
                interrupt_when_it_goes_on(activity, place, caller)

        def wait() -> None:
            if not is_called.wait(PATIENCE) and is_decided.acquire(blocking=False):
                otherwise()

        # Tk has whoever asks wait until it turns.
        for run in (lambda: breaking_out.call_threadsafe(leave_dialog), wait):
            threading.Thread(target=run, name="ipyembed-leaving", daemon=True).start()


_LEAVES = LeavingLoops._leave.__code__
