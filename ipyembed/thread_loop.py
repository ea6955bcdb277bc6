"""The loop of a thread that has jobs and no shell, as in a plain script.

`run_in_foreground()` turns it, and so does a shell that is opened on that thread later.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading

from ipyembed.job_table import job_table
from ipyembed.loop_thread import GRACE, close_loop


class _ThreadLoop:
    """The loop of one thread, closed with it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def __del__(self) -> None:
        if not self.loop.is_running():
            self.loop.close()


_of_thread = threading.local()


def loop_of_thread() -> asyncio.AbstractEventLoop:
    """The loop that turns this thread's jobs where nobody else has one; made at first use."""
    loop = loop_of_thread_if_made()
    if loop is None:
        _of_thread.holder = _ThreadLoop()
        loop = _of_thread.holder.loop
        if threading.current_thread() is threading.main_thread():
            atexit.register(_close_at_exit, loop)
    return loop


def loop_of_thread_if_made() -> asyncio.AbstractEventLoop | None:
    """The same, or None if it has not been needed."""
    holder: _ThreadLoop | None = getattr(_of_thread, "holder", None)
    return None if holder is None or holder.loop.is_closed() else holder.loop


def _close_at_exit(loop: asyncio.AbstractEventLoop) -> None:
    job_table.name_tasks(loop)
    stubborn = close_loop(loop)
    if stubborn:
        print(
            "ipyembed: cancelled at exit, but did not end within "
            f"{GRACE:.0f} s: " + ", ".join(stubborn),
            file=sys.stderr,
        )
