"""An interrupt that comes where an exception would be lost is put off.

What `__del__` raises, or the callback of a weak reference, is printed and dropped, and the program
goes on as if nobody had pressed Ctrl-C. So it is tried again in a moment, until it is outside of
there. What stays in one such place for long is interrupted all the same, and its caller afterwards:
not before what was raised has been printed, for what is raised into the printing is lost as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from ipyembed.blocking import frames
from ipyembed.stacks import no_place_to_raise

LONG = 0.2
"""Seconds after which one such place is interrupted all the same."""

Handle = Callable[[FrameType | None], object]


class _CallsAgain(Protocol):
    def in_a_moment(self, function: Handle, /) -> bool: ...


class PutOff:
    """For one shell. Runs on the eval thread, in a signal handler."""

    def __init__(self, sigint: _CallsAgain) -> None:
        self._sigint = sigint
        self._place: FrameType | None = None
        self._since = 0.0
        self._printing: tuple[FrameType, int] | None = None

    def is_put_off(self, frame: FrameType | None, handle: Handle) -> bool:
        """Whether `handle` will be called again in a moment, since this is no place to raise."""
        place = no_place_to_raise(frame)
        at = place or self._prints(frame)
        if at is None:
            self._place = self._printing = None
            return False
        now = time.monotonic()
        if at is not self._place:  # a loop may drop one object after the other
            self._place, self._since = at, now
        is_tried_again = self._sigint.in_a_moment(handle)
        if is_tried_again and now - self._since < LONG:
            return True
        self._place = None
        if not is_tried_again:
            return False
        caller = place and place.f_back
        self._printing = caller and (caller, caller.f_lasti)
        return False

    def _prints(self, frame: FrameType | None) -> FrameType | None:
        """The frame that waits until what was raised there has been printed: it has not gone on."""
        if self._printing is None:
            return None
        caller, instruction = self._printing
        return caller if caller.f_lasti == instruction and caller in frames(frame) else None
