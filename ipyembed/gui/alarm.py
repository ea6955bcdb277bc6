"""A descriptor that becomes readable at a set time: timerfd, on Linux.

Setting it does not let the interpreter's lock go (`PyDLL`), as `os` of Python 3.13 does: a thread
that has just taken the lock may have waited long for it.

With it, "until something happens or the timeout has passed" is a single descriptor, which any GUI
toolkit can watch, and asyncio's timers are met to the microsecond: epoll rounds timeouts up to a
millisecond.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Any

_CLOCK_MONOTONIC = 1
_FLAGS = 0o2004000  # TFD_NONBLOCK | TFD_CLOEXEC


class Alarm:
    """A timer on a descriptor. Used on one thread."""

    def __init__(self) -> None:
        """Raises OSError where the system has no timerfd; see `is_available`."""
        self._is_set = False
        self.fd = _create()

    @staticmethod
    def is_available() -> bool:
        """Whether alarms can be made here."""
        return _timerfd is not None

    def ring_in(self, seconds: float | None) -> None:
        """Become readable in `seconds` (0: at once; None: never), not when it was set to before."""
        if seconds is None:
            if self._is_set:
                _settime(self.fd, 0.0)
                self._is_set = False
            return
        # A setting of 0 would mean never; and setting it anew takes back a ring that was there.
        _settime(self.fd, max(seconds, 1e-9))
        self._is_set = True

    def close(self) -> None:
        os.close(self.fd)


def _load() -> tuple[Any, Any] | None:
    """The C library's functions."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    try:
        libc = ctypes.PyDLL(None)
        return libc.timerfd_create, libc.timerfd_settime
    except (OSError, AttributeError):
        return None


_timerfd = _load()


def _create() -> int:
    if _timerfd is None:
        raise OSError("this system has no timerfd")
    fd: int = _timerfd[0](_CLOCK_MONOTONIC, _FLAGS)
    if fd < 0:
        raise OSError("timerfd_create failed")
    return fd


def _settime(fd: int, seconds: float) -> None:
    assert _timerfd is not None
    # struct itimerspec: interval and value, each of seconds and nanoseconds
    value = struct.pack("@llll", 0, 0, *divmod(round(seconds * 1e9), 1_000_000_000))
    if _timerfd[1](fd, 0, value, None) != 0:
        raise OSError("timerfd_settime failed")
