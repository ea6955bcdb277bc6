"""The terminal's size: the prompt hears of a change by SIGWINCH, without asking again and again.

Signals reach the main thread only, and prompt_toolkit, which runs on the prompt thread, therefore
asks for the size twice a second. Where the eval thread is the main thread, that is ours to ask: the
handler passes the news on to the prompt thread, and to whoever had the signal before.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ipyembed.output import terminal_resized


@contextmanager
def resize_heard(app: Any) -> Iterator[None]:
    """While `app`, of prompt_toolkit, is up: changes of size reach it at once. Eval thread."""
    # prompt_toolkit 3.0.50 to 3.0.53: private; without it the size is asked for as before.
    resized = getattr(app, "_on_resize", None)
    number = getattr(signal, "SIGWINCH", None)  # Windows has none
    if resized is None or number is None or not _is_main_thread():
        yield
        return
    previous = signal.getsignal(number)
    if previous is None:  # installed from C: it could not be put back
        yield
        return

    def pass_on(signum: int, frame: FrameType | None) -> None:
        terminal_resized()  # first: everybody else may ask for the size
        loop = app.loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(_tell, app, resized)
            except RuntimeError:  # the prompt has just ended
                pass
        if callable(previous):
            previous(signum, frame)

    interval, app.terminal_size_polling_interval = app.terminal_size_polling_interval, None
    signal.signal(number, pass_on)
    try:
        yield
    finally:
        signal.signal(number, previous)
        app.terminal_size_polling_interval = interval


def _tell(app: Any, resized: Any) -> None:
    if app.is_running:
        resized()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
