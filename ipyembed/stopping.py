"""Ctrl-Z at the prompt stops the process before the prompt takes the terminal again.

prompt_toolkit gives the terminal back, sends SIGTSTP and takes the terminal again. But the signal
is for the process, and another thread may be the one that receives it, a moment later. The terminal
was taken again by then; the shell that continues us gives us another mode than the one that we have
set, and the keys are echoed and not read.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prompt_toolkit.application import run_in_terminal

from ipyembed.attributes import attribute_replaced

if TYPE_CHECKING:
    from prompt_toolkit.application import Application

PATIENCE = 2.0
"""Seconds that another thread may take to receive the signal."""


@contextmanager
def stops_at_once(app: Application[Any]) -> Iterator[None]:
    """While `app` may be up. Prompt thread."""
    if not hasattr(signal, "SIGTSTP"):  # Windows
        yield
        return
    with attribute_replaced(app, "suspend_to_background", _suspend_to_background):
        yield


def _suspend_to_background(suspend_group: bool = True) -> None:
    """As prompt_toolkit's."""
    run_in_terminal(lambda: _stop(0 if suspend_group else os.getpid()))


def _stop(pid: int) -> None:
    # The system tells a thread only of signals that this thread blocks.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
    try:
        os.kill(pid, signal.SIGTSTP)
        end = time.monotonic() + PATIENCE
        while signal.SIGTSTP in signal.sigpending() and time.monotonic() < end:
            time.sleep(0.0005)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
