"""Python's wakeup fd, put back to whoever had it."""

from __future__ import annotations

import signal


def put_back_fd(fd: int, *, warn_on_full_buffer: bool = True) -> int:
    """As `signal.set_wakeup_fd`; returns the one before. Main thread.

    Whoever had it may have closed it meanwhile, and another file may have its number: then none is
    set, rather than to fail with the shell half closed.
    """
    try:
        return signal.set_wakeup_fd(fd, warn_on_full_buffer=warn_on_full_buffer)
    except (OSError, ValueError):  # closed; not in non-blocking mode
        return signal.set_wakeup_fd(-1)
