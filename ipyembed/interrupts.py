"""Who gets Ctrl-C: the one arbiter. docs/interrupts.md has the whole table, and what fails.

Goal: Ctrl-C stops what the user means and nothing else of the host.

What does not work: asyncio's `Runner` turns the first SIGINT into a cancel of the host's main
task; `loop.add_signal_handler` cannot interrupt code that blocks, and taking such a handler away
again throws away the one that the host had.

What we do: from the moment in which a prompt has been answered until the next one has the terminal,
SIGINT is ours (`sigint`). Our handler looks at the stack that it interrupted. If the cell's own
code is on it, `KeyboardInterrupt` is raised there. If not, the cell is awaiting, and what it awaits
is cancelled; if some other code blocks the loop by then, the next Ctrl-C is raised in that
(`blocking`). While the prompt is up, Ctrl-C is a key, and SIGINT is the host's.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType

from IPython.core.interactiveshell import InteractiveShell

from ipyembed.blocking import (
    Activity,
    Interrupted,
    find_activity,
    frames,
    interrupt,
    raised_in_thread,
    say,
)
from ipyembed.deadly_signals import DeadlySignals
from ipyembed.gui.leaving import LeavingLoops
from ipyembed.gui.wx_app import leaves_sigint_alone
from ipyembed.job_cells import runs_left_cell
from ipyembed.nudge import nudge
from ipyembed.prompt_interrupts import PromptInterrupts, never
from ipyembed.put_off import PutOff
from ipyembed.sigint import Sigint
from ipyembed.sigint_elsewhere import SigintElsewhere
from ipyembed.stacks import (
    is_in_hook,
    is_in_own_code,
    is_interacting,
    runs_cell,
    runs_code,
)
from ipyembed.watchdog import describe_frame

AT_ONCE = 0.2
"""Seconds in which a second Ctrl-C is the same as the first."""
PATIENCE = 1.0
"""Seconds after which a second Ctrl-C ends even what the shell itself does."""


@dataclass
class _Awaited:
    """What the cell awaits."""

    cancel: Callable[[], object]
    """Cancels it. Called by the loop."""
    call_soon_threadsafe: Callable[[Callable[[], object]], object]
    is_critical: Callable[[], bool]
    loop: asyncio.AbstractEventLoop | None
    roots: set[FrameType]
    asked: float = 0.0
    """When Ctrl-C has asked the loop to cancel it; 0 if the loop has done so since."""
    delivered: float = 0.0
    """When the loop has done so; 0 if the cell is to be cancelled by the next Ctrl-C."""

    def deliver(self) -> None:
        """Runs in the loop."""
        self.asked, self.delivered = 0.0, time.monotonic()
        self.cancel()


class CellInterrupts(PromptInterrupts):
    """Interrupts of one shell.

    But for what the name says, all methods run on the eval thread.

    ==============  ===========================  ================================================
    state           SIGINT                       left by
    ==============  ===========================  ================================================
    between         ours: the shell's own code   `armed()`; `to_host()`, as a prompt comes up
    in a cell       ours: the cell's             the cell's end
    prompt          the host's (or ours: see     `to_shell()`, as the prompt ends
                    `at_prompt()`)
    ==============  ===========================  ================================================
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._thread = threading.current_thread()
        self._is_main = self._thread is threading.main_thread()
        super().__init__(Sigint(self._handle) if self._is_main else SigintElsewhere(self._handle))
        self.deadly = DeadlySignals()
        """The signals that end the process, for as long as the terminal is raw."""
        self._holds_nudge = False
        self._awaited: _Awaited | None = None
        self._in_cell = False
        self._loops = LeavingLoops(partial(runs_code, shell))
        self._ignored = 0.0
        self._put_off = PutOff(self._sigint)
        self.leave_cell_threadsafe: Callable[[], bool] = never
        """Gives the prompt back and leaves the cell behind, if it can, and tells whether."""
        self.cancelled = False
        """Whether the cell that runs, or the last one, was cancelled by Ctrl-C."""
        self.host_loop: asyncio.AbstractEventLoop | None = None
        self.roots: set[FrameType] = set()
        """The loop that the host turns on this thread, and the frames in which it does."""
        self.is_hosts_nursery = False
        """Whether a task of the host that fails takes others with it, as in trio."""
        self.name_task: Callable[[FrameType | None], str | None] = _nameless
        """Names the task that a frame belongs to, where that is not asyncio's."""

    def open(self) -> None:
        """Begin; nothing of the host's is touched yet."""
        self._holds_nudge = self._is_main and nudge.hold()
        self._sigint.unnoticed_threadsafe = self._unnoticed_threadsafe

    def close(self) -> None:
        """End, for good."""
        self.roots = set()
        self._sigint.close()
        self.deadly.close()
        if self._holds_nudge:
            self._holds_nudge = False
            nudge.let_go()
        self._pass_on_what_is_left()

    def to_shell(self) -> None:
        """From now on SIGINT is ours, in a cell and between."""
        self._ignored = 0.0
        self._sigint.take()

    @contextmanager
    def armed(self) -> Iterator[None]:
        """While a cell runs: SIGINT is the cell's."""
        self.cancelled = False
        self._ignored = 0.0
        was_taken = self._sigint.is_taken
        self.to_shell()
        self._loops.begin()
        self._in_cell = True
        try:
            with self._kept_from_wx():
                yield
        finally:
            self._in_cell = False
            if isinstance(self._sigint, SigintElsewhere):
                self._sigint.raise_threadsafe(None)
            if not was_taken:
                self.to_host()

    def _kept_from_wx(self) -> AbstractContextManager[None]:
        if isinstance(self._sigint, Sigint) and self._sigint.is_taken:
            return leaves_sigint_alone(self._sigint.set_hosts)
        return nullcontext()

    @contextmanager
    def awaiting(
        self,
        cancel: Callable[[], object],
        call_soon_threadsafe: Callable[[Callable[[], object]], object],
        is_critical: Callable[[], bool] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> Iterator[None]:
        """While the cell may await: `cancel()` cancels what it awaits.

        `call_soon_threadsafe` has the loop call it; from a signal handler, so it must also wake
        the loop. `is_critical()` tells, in the handler, whether the code that was interrupted is
        the loop's own, called by the cell, and must not be left by an exception; then what the cell
        awaits next is cancelled. `loop` is the loop, if it is one of asyncio's interface.
        """
        previous = self._awaited, self._sigint.wake_threadsafe
        self._awaited = _Awaited(
            cancel,
            call_soon_threadsafe,
            is_critical or never,
            loop,
            {*frames(sys._getframe()), *self.roots},
        )
        self._sigint.wake_threadsafe = lambda: call_soon_threadsafe(_nothing)
        try:
            yield
        finally:
            self._awaited, self._sigint.wake_threadsafe = previous

    @contextmanager
    def left_to_the_runner(self) -> Iterator[None]:
        """While a runner that is not ours (``%autoawait trio``) runs a cell: SIGINT is Python's.

        Such a runner has its own way with it, if nobody else has.
        """
        if not self._is_main or not self._sigint.is_taken:
            yield
            return
        self._sigint.give_back()
        hosts = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, hosts)
            self._sigint.take()

    # -- on the main thread, in a signal handler; for a worker, on a thread of ours -----------

    def _handle(self, frame: FrameType | None) -> None:
        if not self._in_cell and self.prompt_is_up_threadsafe():
            self._heard_at_prompt()
        else:
            self._stop(frame)

    def _stop(self, frame: FrameType | None) -> None:
        if self._put_off.is_put_off(frame, self._stop):
            return
        if not self._in_cell or is_in_own_code(frame):
            self._in_own_code(frame)
            return
        awaited = self._awaited
        # What was a cell and is a job now, is code of IPython's too, but not this cell's.
        executing = runs_code(self._shell, frame) and not runs_left_cell(frame)
        if executing and not (awaited is not None and awaited.is_critical()):
            if not (self._is_main and self._loops.is_to_leave(frame)):
                self._interrupt()
        elif awaited is not None and (executing or not runs_cell(self._shell, frame)):
            self._cancel(awaited, frame)
        elif is_in_hook(frame):
            self._interrupt()

    def _cancel(self, awaited: _Awaited, frame: FrameType | None) -> None:
        """The first asks the loop; when that has not done so yet, the second frees the loop.

        When it has, and the cell awaits all the same, the second leaves it behind.
        """
        now = time.monotonic()
        if awaited.delivered:
            if now - awaited.delivered < AT_ONCE:
                return
            awaited.delivered = 0.0
            if self.leave_cell_threadsafe():
                return
        if not awaited.asked:
            self.cancelled = True
            awaited.asked = now
            awaited.call_soon_threadsafe(awaited.deliver)
        elif now - awaited.asked > AT_ONCE:
            self._interrupt_activity(frame, awaited.loop, awaited.roots)

    def _interrupt_activity(
        self,
        frame: FrameType | None,
        loop: asyncio.AbstractEventLoop | None,
        roots: set[FrameType],
    ) -> None:
        activity = find_activity(frame, roots, loop)
        if activity is None:
            return
        if (name := self.name_task(frame)) is not None:
            activity = replace(activity, name=f"task {name}")
        if isinstance(self._sigint, SigintElsewhere):
            raised = raised_in_thread(
                partial(find_activity, roots=roots, loop=loop), describe_frame
            )
            if raised is Interrupted:
                say(activity, describe_frame(frame))
            self._sigint.raise_threadsafe(raised)
        else:
            interrupt(activity, describe_frame(frame), as_returned=self.is_hosts_nursery)

    def _interrupt(self) -> None:
        """Raise KeyboardInterrupt in the code of the eval thread."""
        if isinstance(self._sigint, SigintElsewhere):
            self._sigint.raise_threadsafe(KeyboardInterrupt)
        else:
            raise KeyboardInterrupt

    def _in_own_code(self, frame: FrameType | None) -> None:
        """Between two cells: nothing is broken off, unless it takes long and Ctrl-C comes again."""
        if self._ask_anew_threadsafe is not None:
            self._ask_anew_threadsafe()
            return
        if is_in_hook(frame):
            self._interrupt()
            return
        now = time.monotonic()
        if not self._ignored:
            self._ignored = now
        elif now - self._ignored > PATIENCE and is_interacting(frame):
            self._ignored = 0.0
            self._interrupt()

    # -- from other threads ------------------------------------------------------------------

    def _unnoticed_threadsafe(self) -> None:
        """No code of Python's has run since the SIGINT: a toolkit's loop may be the reason."""
        if self._in_cell:  # Tk has whoever asks wait, and the signals' thread has more to do
            threading.Thread(
                target=self._loops.leave_threadsafe, name="ipyembed-leaving", daemon=True
            ).start()

    def interrupt_stuck_threadsafe(self) -> None:
        """Raise KeyboardInterrupt in the task or callback that the eval thread is stuck in."""
        if self._is_main:
            self._loops.leave_dialog_threadsafe(
                self._find_activity, partial(nudge.call_threadsafe, self._interrupt_stuck)
            )
        else:
            ident = self._thread.ident
            self._interrupt_stuck(sys._current_frames().get(ident) if ident is not None else None)

    def _find_activity(self, frame: FrameType | None) -> Activity | None:
        return find_activity(frame, self.roots, self.host_loop)

    def _interrupt_stuck(self, frame: FrameType | None) -> None:
        if not self._put_off.is_put_off(frame, self._interrupt_stuck):
            self._interrupt_activity(frame, self.host_loop, self.roots)


def _nameless(_: FrameType | None) -> None:
    return None


def _nothing() -> None:
    pass
